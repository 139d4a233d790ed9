"""Errors as vendors write them: read from their answers, and written where the answer is ours.

| kind             | body of an error                                                   | class |
| ---------------- | ------------------------------------------------------------------ | --- |
| openai, azure    | {"error": {"message", "type", "param", "code"}}                    | code, else type |
| anthropic        | {"type": "error", "error": {"type", "message"}}                    | type |
| gemini, vertex   | {"error": {"code", "message", "status"}}, in a list when streamed  | status |
| bedrock          | {"message"}, header `x-amzn-errortype`                             | the header, else `__type` |

What is written in none of these ways (a proxy's page, say) has the class `http_<status>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ledger.vendors.json_values import Json, dump, items, table, text

Kind = Literal["openai", "azure", "anthropic", "gemini", "vertex", "bedrock"]
"""Which way an endpoint speaks; `vertex` and `azure` are ways to the formats of others, too."""

ERROR_TYPE = "x-amzn-errortype"


@dataclass(frozen=True, slots=True)
class VendorError:
    """What an answer says went wrong."""

    error_class: str
    message: str


def read_error(status: int, headers: Mapping[str, str], body: Json) -> VendorError | None:
    """The error of an answer; None where there is none. Names of headers are in small letters."""
    found = table(items(body)[0]) if items(body) else table(body)
    given = found.get("error")
    error = table(given)
    if status < 400 and not given:
        return None
    named = (
        text(headers.get(ERROR_TYPE)).partition(":")[0]
        or text(error.get("code"))
        or text(error.get("status"))
        or text(error.get("type"))
        or text(found.get("__type")).rpartition("#")[2]
        or (f"http_{status}" if status >= 400 else "error")
    )
    detail = found.get("detail")
    message = (
        text(error.get("message"))
        or text(given)
        or text(found.get("message"))
        or text(found.get("Message"))
        or (text(detail) or (dump(detail) if detail else ""))
    )
    return VendorError(named, message)


_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_AWS = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    413: "ValidationException",
    429: "ThrottlingException",
    502: "ServiceUnavailableException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}


def error_body(kind: Kind, status: int, code: str, message: str) -> tuple[bytes, dict[str, str]]:
    """The body of an answer of ours that refuses, in the endpoint's own way, and headers that belong to it."""
    headers = {"Content-Type": "application/json"}
    value: Json
    if kind == "anthropic":
        named = _ANTHROPIC.get(status, "api_error")
        value = {"type": "error", "error": {"type": named, "message": f"{message} ({code})"}, "request_id": None}
    elif kind in ("gemini", "vertex"):
        value = {"error": {"code": status, "message": f"{message} ({code})", "status": _GOOGLE.get(status, "INTERNAL")}}
    elif kind == "bedrock":
        headers["x-amzn-ErrorType"] = _AWS.get(status, "InternalServerException")
        value = {"message": f"{message} ({code})"}
    else:
        named = "invalid_request_error" if status < 500 else "server_error"
        value = {"error": {"message": message, "type": named, "param": None, "code": code}}
    return dump(value).encode(), headers
