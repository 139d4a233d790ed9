"""Signatures for Bedrock, against AWS's published algorithm, written out here once more."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

import pytest
from multidict import CIMultiDict

from ledger.errors import Misconfigured
from ledger.proxy.aws_signing import AwsSigner
from ledger.proxy.upstreams import Upstream

SECRET = "the proxy's own secret"


def upstream(**given: str) -> Upstream:
    """A Bedrock endpoint."""
    base = "https://bedrock-runtime.eu-central-1.amazonaws.com"
    return Upstream(
        "bedrock", "bedrock", base, "aws.bedrock", "eu-central-1", None, None, given.get("profile", ""), "eu-central-1"
    )


def expected(method: str, path: str, query: str, headers: dict[str, str], signed: list[str], body: bytes) -> str:
    """The signature that AWS computes of what reaches it (Signature Version 4, path encoded twice)."""
    lines = [
        method,
        quote(path, safe="/~"),
        query,
        *(f"{name}:{headers[name].strip()}" for name in signed),
        "",
        ";".join(signed),
        hashlib.sha256(body).hexdigest(),
    ]
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/eu-central-1/bedrock/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}".encode(), "sha256").hex()


@pytest.mark.parametrize(
    "path",
    [
        "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse",
        "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fx/invoke",
    ],
)
def test_a_signature_is_what_aws_computes(path: str) -> None:
    """Of method, path as it goes out, signed fields and body, for the upstream's host and region."""
    body = b'{"messages":[]}'
    headers: CIMultiDict[str] = CIMultiDict(
        {"Content-Type": "application/json", "Accept": "*/*", "X-Amzn-Bedrock-Trace": "ENABLED"}
    )
    AwsSigner(upstream()).sign("POST", upstream().base + path, headers, body)
    scheme, _, rest = headers["Authorization"].partition(" ")
    parts = dict(each.strip().split("=", 1) for each in rest.split(","))
    signed = parts["SignedHeaders"].split(";")
    seen = {name.lower(): value for name, value in headers.items()}
    seen["host"] = "bedrock-runtime.eu-central-1.amazonaws.com"
    assert scheme == "AWS4-HMAC-SHA256"
    assert {"host", "x-amz-date", "x-amz-security-token", "content-type", "x-amzn-bedrock-trace"} <= set(signed)
    assert "accept" not in signed
    assert parts["Signature"] == expected("POST", path, "", seen, signed, body)


def test_without_credentials_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials in the standard chain, or a profile that is not there, is said at the start."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Misconfigured, match="found none"):
        AwsSigner(upstream())
    with pytest.raises(Misconfigured, match="ProfileNotFound"):
        AwsSigner(upstream(profile="nobody"))
