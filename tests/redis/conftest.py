from __future__ import annotations

from tests.redis_servers import redis_server as redis_server
