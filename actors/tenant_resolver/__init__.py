"""Answers which tenant a request is for, from a cache that is never behind an acknowledged invalidation.

One cache, one table of flights, one generation, in one actor. It promises: one load for all who ask for the same
identity; a result is carried to everyone who waits for it, value, absence or error; a load that began before an
invalidation is neither stored nor joined; a database that is down, slow or frozen costs warm tenants nothing but freshness.
"""

from .actor import TenantResolver

__all__ = ["TenantResolver"]
