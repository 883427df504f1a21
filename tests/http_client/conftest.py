"""What the tests of this folder share."""

from __future__ import annotations

from tests.http_front.fixtures import own_postgres as own_postgres
from tests.http_front.fixtures import place as place
from tests.http_front.fixtures import postgres as postgres
from tests.http_front.fixtures import url as url
