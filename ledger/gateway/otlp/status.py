"""How an Export ends that does not succeed, in the terms that exporters understand.

| code                | HTTP | exporters send it again                                 |
| ------------------- | ---- | ------------------------------------------------------- |
| RESOURCE_EXHAUSTED  | 429  | yes: gRPC's only with RetryInfo, which is always there   |
| UNAVAILABLE         | 503  | yes                                                     |
| DEADLINE_EXCEEDED   | 504  | yes                                                     |
| INVALID_ARGUMENT    | 400  | no                                                      |
| UNAUTHENTICATED     | 401  | no                                                      |
| PERMISSION_DENIED   | 403  | no                                                      |
| UNIMPLEMENTED       | 501  | no                                                      |

What is a fault of ours is UNAVAILABLE here, and not INTERNAL: after that one exporters throw away what they have.

RetryInfo stands in a `google.rpc.Status`: over gRPC in the trailer `grpc-status-details-bin`, and once more by itself
in `google.rpc.retryinfo-bin`, where OpenTelemetry's Python exporter looks; over HTTP in the body, beside `Retry-After`.
"""

from __future__ import annotations

from dataclasses import replace

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from ledger.gateway.rpc import RETRY_AFTER, Refusal, Trailers

DETAILS = "grpc-status-details-bin"
RETRY_INFO = "google.rpc.retryinfo-bin"
FAULT_RETRY_MS = 1_000

_HTTP = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}


def for_exporters(refusal: Refusal) -> Refusal:
    """The same, so that nothing is lost by what is not the sender's fault."""
    if refusal.code != grpc.StatusCode.INTERNAL:
        return refusal
    return replace(refusal, code=grpc.StatusCode.UNAVAILABLE, retry_after_ms=FAULT_RETRY_MS)


def status_of(refusal: Refusal) -> Status:
    """The refusal as a message."""
    number: int = refusal.code.value[0]
    status = Status(code=number, message=refusal.text)
    if refusal.retry_after_ms is not None:
        status.details.add().Pack(_retry_info(refusal.retry_after_ms))
    return status


def trailers(refusal: Refusal) -> Trailers:
    """The trailers of a gRPC call that ends so."""
    made: Trailers = ((DETAILS, status_of(refusal).SerializeToString()),)
    if refusal.retry_after_ms is None:
        return made
    retry_info = (RETRY_INFO, _retry_info(refusal.retry_after_ms).SerializeToString())
    return (*made, retry_info, (RETRY_AFTER, str(refusal.retry_after_ms)))


def http_status(refusal: Refusal) -> int:
    """The status of an HTTP answer that says so."""
    return _HTTP.get(refusal.code, 503)


def _retry_info(after_ms: int) -> RetryInfo:
    made = RetryInfo()
    made.retry_delay.FromMilliseconds(after_ms)
    return made
