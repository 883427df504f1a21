"""What the tests of this room generate: identities a request can name, and bytes nobody should send."""

from __future__ import annotations

from hypothesis import strategies as st

from actors.identities import Identity

uuids = st.uuids().map(lambda value: Identity("uuid", str(value)))
slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True).map(lambda value: Identity("slug", value))
labels = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=6).map(lambda parts: Identity("host", ".".join(parts)))
identities = uuids | slugs | hosts
