"""`/metrics` and `/healthz` over HTTP, on an address of their own, in a thread of their own.

`/healthz` answers 200 while the gateway serves and 503 otherwise. Nothing here tells of a tenant or an event.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from ledger.config.address import Address
from ledger.errors import Misconfigured

REQUEST_TIMEOUT_S = 5.0


class ObservationServer:
    """Serves from `start` until `close`."""

    def __init__(self, address: Address, registry: CollectorRegistry, serving: Callable[[], bool]) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_TIMEOUT_S

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                elif self.path == "/healthz":
                    up = serving()
                    self._answer(200 if up else 503, "text/plain", b"ok\n" if up else b"not serving\n")
                else:
                    self._answer(404, "text/plain", b"not found\n")

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: a scrape every few seconds is no news."""

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            daemon_threads = True
            allow_reuse_port = False

        try:
            self._server = Server((address.host, address.port), Handler)
        except OSError as error:
            raise Misconfigured(f"metrics_listen: cannot listen on {address}: {error.strerror}") from None
        self.address = address.with_port(self._server.server_address[1])
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="observe", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
