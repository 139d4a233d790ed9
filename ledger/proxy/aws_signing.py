"""Requests to AWS Bedrock, signed again: SigV4 covers host and body, so the caller's signature ends at the proxy.

The caller's own signature is not checked: that needs his secret, which is his. Who the caller is, his token or his
certificate says (`ledger.proxy.admitting`); without either, whoever reaches the proxy uses the proxy's credentials, and
so it listens on loopback then. Credentials come from botocore's standard chain (environment, files, roles), or the
profile that the upstream names, and are renewed by it.

A request with a Bedrock API key (`Authorization: Bearer`) is not signed: the key is the caller's own, and goes on.

Signed are host, date, content type, the token of temporary credentials and every `x-amz…` field; other fields go on
unsigned, as they may. Needs the extra `bedrock`.
"""

from __future__ import annotations

import importlib
from typing import Any

from multidict import CIMultiDict

from ledger.errors import Misconfigured, Unavailable
from ledger.proxy.upstreams import Upstream

SERVICE = "bedrock"
_SIGNED = ("content-type",)
_PREFIX = "x-amz"


class AwsSigner:
    """Signs for one upstream. Calls block: credentials may come over the network."""

    def __init__(self, upstream: Upstream) -> None:
        """`Misconfigured` without botocore, or when its chain has no credentials."""
        try:
            session = importlib.import_module("botocore.session")
            self._auth: Any = importlib.import_module("botocore.auth")
            self._request: Any = importlib.import_module("botocore.awsrequest")
            self._errors: Any = importlib.import_module("botocore.exceptions")
        except ImportError:
            raise Misconfigured(
                f"upstream {upstream.name}: Bedrock needs botocore: install the extra `bedrock`"
            ) from None
        self._name = upstream.name
        self._region = upstream.region
        try:
            found: Any = session.Session(profile=upstream.profile or None)
            self._credentials: Any = found.get_credentials()
        except self._errors.BotoCoreError as error:
            raise Misconfigured(f"upstream {upstream.name}: AWS credentials: {type(error).__name__}") from None
        if self._credentials is None:
            raise Misconfigured(f"upstream {upstream.name}: AWS credentials: found none in the standard chain")

    def sign(self, method: str, url: str, headers: CIMultiDict[str], body: bytes) -> None:
        """Adds the signature to a request's fields. `Unavailable` when the credentials can't be renewed now."""
        signed = {
            name: value
            for name, value in headers.items()
            if name.lower() in _SIGNED or name.lower().startswith(_PREFIX)
        }
        request = self._request.AWSRequest(method=method, url=url, headers=signed, data=body)
        try:
            frozen = self._credentials.get_frozen_credentials()
        except self._errors.BotoCoreError as error:
            raise Unavailable(f"upstream {self._name}: AWS credentials: {type(error).__name__}") from None
        self._auth.SigV4Auth(frozen, SERVICE, self._region).add_auth(request)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            if name in request.headers:
                headers[name] = request.headers[name]
