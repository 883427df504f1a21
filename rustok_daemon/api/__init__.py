"""Declared routes become an ASGI application; the one room of Starlette.

``application.Application`` serves ``Route`` declarations; their handlers see a ``Call`` (``call``) and never ASGI. What the room
promises: input is decoded and checked before a handler runs, every error a client sees is a problem of RFC 9457 that
says nothing of our insides, and every answer carries its request id. ``raw`` routes skip the router and all else that
costs time. Nothing is imported here: who declares a route must not load a router.
"""
