"""A real nginx with auth_request in front of authorize."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.daemon_process import Daemon, daemon, free_port

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CONFIGURATION = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{
    listen 127.0.0.1:{port};
    location = /_tenant {{
      internal;
      proxy_pass {daemon}/v1/tenants/authorize;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header X-Forwarded-Host $host;
    }}
    location / {{
      auth_request /_tenant;
      auth_request_set $tenant $upstream_http_x_tenant_id;
      auth_request_set $slug $upstream_http_x_tenant_slug;
      proxy_set_header X-Tenant-ID $tenant;
      proxy_set_header X-Tenant-Slug $slug;
      proxy_pass http://127.0.0.1:{upstream};
    }}
  }}
}}
"""


class Upstream(BaseHTTPRequestHandler):
    """The application behind nginx: says which tenant it was told."""

    def do_GET(self) -> None:
        body = self.headers["X-Tenant-Slug"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def upstream() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Upstream)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def made() -> Iterator[Daemon]:
    with daemon({"tenant.resolution": "host", "redis.url": "off"}) as made:
        made.start()
        yield made


def test_known_unknown_and_inactive(made: Daemon, upstream: int, tmp_path: Path) -> None:
    nginx = shutil.which("nginx")
    assert nginx, "nginx is missing: install it to run the system tests"
    with httpx.Client(base_url=made.url, headers=made.headers) as http:
        body = {"name": "Off", "slug": "switched-off", "domain": "off.localhost", "is_active": False}
        created = http.post("/v1/tenants", json=body)
        assert created.status_code == 201, created.text
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(directory=tmp_path, port=port, daemon=made.url, upstream=upstream))
    process = subprocess.Popen([nginx, "-c", str(configuration), "-p", str(tmp_path)])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=5)) as http:
            known = http.get("/page", headers={"Host": "demo.localhost"})
            assert (known.status_code, known.text) == (200, "demo")
            assert http.get("/page", headers={"Host": "nobody.localhost"}).status_code == 403
            assert http.get("/page", headers={"Host": "off.localhost"}).status_code == 403
    finally:
        process.terminate()
        process.wait(10)
