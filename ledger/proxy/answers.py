"""Answers of the proxy's own, in the way of the endpoint that the caller meant to reach.

A client of a vendor reads them as it reads the vendor's errors: 403 as a permission that is missing, 503 as something
to try again. The code says that it was the proxy; nothing of the request, of a policy's text or of a credential is in
them.
"""

from __future__ import annotations

from aiohttp import web

from ledger.vendors.errors import Kind, error_body

RETRY_AFTER_S = 1
RETRIED = (503,)


class OwnAnswer(Exception):
    """An answer instead of the vendor's. `code` tells it from others; `message` is for a developer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message

    def response(self, kind: Kind, headers: dict[str, str]) -> web.Response:
        """As the endpoint of this kind would write it."""
        body, own = error_body(kind, self.status, f"audit_ledger_{self.code}", self.message)
        if self.status in RETRIED:
            own["Retry-After"] = str(RETRY_AFTER_S)
        return web.Response(status=self.status, body=body, headers={**own, **headers})
