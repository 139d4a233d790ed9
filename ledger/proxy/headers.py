"""Which headers go on, by RFC 9110, and which are the proxy's own.

Not passed on, either way: the hop-by-hop fields (connection, keep-alive, proxy-authenticate, proxy-authorization, te,
trailer, transfer-encoding, upgrade) and whatever `connection` names. A request also loses

- `host` (the upstream's is sent), `expect` (answered here), `content-length` (of the body that leaves);
- everything that begins with `x-ledger-`: it is for the ledger, and no vendor's business.

It gains `via`. Of `accept-encoding` what can be read here stays (gzip, deflate): an answer in another encoding could be
passed on, and not recorded. All other fields, their order, their spelling and their repetition, stay as they came.

Trailer fields are not passed on: a recipient may drop them (RFC 9110, 6.5.1), no vendor sends any, and without `te` a
sender must not expect anybody to see them. A field that is no UTF-8 is not passed on either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from multidict import CIMultiDict

OWN = "x-ledger-"
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
READABLE = ("gzip", "deflate", "identity")
VIA = "1.1 audit-ledger"
_NOT_SENT = HOP_BY_HOP | {"host", "expect", "content-length"}
_SIGNATURE = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})
Raw = Iterable[tuple[bytes, bytes]]


def named_by_connection(headers: Raw) -> frozenset[str]:
    """The fields that `connection` says are for this hop."""
    found: set[str] = set()
    for name, value in headers:
        if name.lower() == b"connection":
            found.update(each.strip().lower() for each in value.decode("latin-1").split(","))
    return frozenset(found)


def sent_on(headers: Raw, *, signed_anew: bool, narrow: bool) -> CIMultiDict[str]:
    """A request's fields as they go to the upstream. `narrow`: only encodings that can be read here are accepted."""
    headers = list(headers)
    left_out = _NOT_SENT | named_by_connection(headers) | (_SIGNATURE if signed_anew else frozenset())
    found: CIMultiDict[str] = CIMultiDict()
    for name, value in _texts(headers):
        lower = name.lower()
        if lower in left_out or lower.startswith(OWN):
            continue
        if narrow and lower == "accept-encoding":
            value = _readable(value)
        found.add(name, value)
    found.add("Via", VIA)
    return found


def passed_back(headers: Raw) -> CIMultiDict[str]:
    """An answer's fields as they go to the caller."""
    headers = list(headers)
    left_out = HOP_BY_HOP | named_by_connection(headers)
    found: CIMultiDict[str] = CIMultiDict()
    for name, value in _texts(headers):
        if name.lower() not in left_out:
            found.add(name, value)
    return found


def lower_case(headers: Raw) -> dict[str, str]:
    """The fields by name in small letters; of a repeated one the last."""
    return {name.lower(): value for name, value in _texts(headers)}


def _texts(headers: Raw) -> Iterator[tuple[str, str]]:
    """The fields as text, which is written again as the same bytes."""
    for name, value in headers:
        try:
            yield name.decode("utf-8"), value.decode("utf-8")
        except UnicodeDecodeError:
            continue


def _readable(value: str) -> str:
    kept = [each.strip() for each in value.split(",") if each.partition(";")[0].strip().lower() in READABLE]
    return ", ".join(kept) or "identity"
