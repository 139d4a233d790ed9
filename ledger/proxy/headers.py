"""Which headers go on, by RFC 9110, and which are the proxy's own.

Not passed on, either way: the hop-by-hop fields (connection, keep-alive, proxy-authenticate, proxy-authorization, te,
trailer, transfer-encoding, upgrade) and whatever `connection` names. A request also loses

- `host` (the upstream's is sent), `expect` (answered here), `content-length` (of the body that leaves);
- everything that begins with `x-ledger-`: it is for the ledger, and no vendor's business.

It gains `via`. Of `accept-encoding` what can be read here stays (gzip, deflate): an answer in another encoding could be
passed on, and not recorded. All other fields, their order, their spelling and their repetition, stay as they came (a
request's repeated field takes the spelling of its first).

Trailer fields are not passed on: a recipient may drop them (RFC 9110, 6.5.1), no vendor sends any, and without `te` a
sender must not expect anybody to see them. A field that is no UTF-8 is not passed on either.
"""

from __future__ import annotations

from collections.abc import Iterable

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
ENCODING = "content-encoding"
READABLE = ("gzip", "deflate", "identity")
VIA = "1.1 audit-ledger"
_NOT_SENT = HOP_BY_HOP | {"host", "expect", "content-length"}
_SIGNATURE = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})
Raw = Iterable[tuple[bytes, bytes]]
Fields = list[tuple[str, str, str]]
"""Name in small letters, name as it came, value."""


def read_fields(headers: Raw) -> Fields:
    """The fields as text, which is written again as the same bytes."""
    found: Fields = []
    for raw_name, raw_value in headers:
        try:
            name = raw_name.decode("utf-8")
            found.append((name.lower(), name, raw_value.decode("utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def sent_on(fields: Fields, *, signed_anew: bool, narrow: bool) -> CIMultiDict[str]:
    """A request's fields as they go to the upstream. `narrow`: only encodings that can be read here are accepted."""
    left_out = _left_out(fields, _NOT_SENT | _SIGNATURE if signed_anew else _NOT_SENT)
    found: CIMultiDict[str] = CIMultiDict()
    spelled: dict[str, str] = {}
    for lower, name, value in fields:
        if lower in left_out or lower.startswith(OWN):
            continue
        # aiohttp takes a repeated field in another spelling for one that replaces the first.
        name = spelled.setdefault(lower, name)
        found.add(name, _readable(value) if narrow and lower == "accept-encoding" else value)
    found.add("Via", VIA)
    return found


def passed_back(fields: Fields) -> CIMultiDict[str]:
    """An answer's fields as they go to the caller."""
    left_out = _left_out(fields, HOP_BY_HOP)
    return CIMultiDict((name, value) for lower, name, value in fields if lower not in left_out)


def by_name(fields: Fields) -> dict[str, str]:
    """The fields by name in small letters; of a repeated one the last, but of the content encoding, of which each is
    one more on top of the others (RFC 9110, 8.4), all of them."""
    found = {lower: value for lower, _, value in fields}
    if ENCODING in found:
        found[ENCODING] = ", ".join(value for lower, _, value in fields if lower == ENCODING)
    return found


def _left_out(fields: Fields, always: frozenset[str]) -> frozenset[str]:
    """With what `connection` says is for this hop."""
    named = [value for lower, _, value in fields if lower == "connection"]
    if not named:
        return always
    return always.union(each.strip().lower() for value in named for each in value.split(","))


def _readable(value: str) -> str:
    kept = [each.strip() for each in value.split(",") if each.partition(";")[0].strip().lower() in READABLE]
    return ", ".join(kept) or "identity"
