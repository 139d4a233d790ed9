"""The endpoints behind a proxy: TOML, every key known.

    format = 1

    [[upstreams]]
    name = "openai"                       # the first part of a path: http://PROXY/openai/v1/...
    kind = "openai"                       # openai, azure, anthropic, gemini, vertex or bedrock
    url = "https://api.openai.com"        # what stands behind the name goes here
    vendor = "openai"                     # optional: as the policy and the events name it; the kind's default
    region = "eu"                         # optional: recorded where neither address nor answer tells one
    unknown_paths = "read"                # optional: refuse, read or pass, instead of proxy.unknown_paths
    ca = "corporate-ca.pem"               # optional: trusted instead of the system's

    [[upstreams]]
    name = "bedrock"
    kind = "bedrock"
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com"
    region = "eu-west-1"                  # bedrock: signed for; required
    profile = "ai"                        # optional, bedrock: of the AWS configuration; else its standard chain

The connection to an upstream is TLS, and its certificate is always checked; in clear only to this machine itself.
Relative paths are relative to the file. What is wrong is one `Misconfigured` that names the place.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from ledger.client.options import is_local
from ledger.errors import Misconfigured, Rejected
from ledger.record.names import required
from ledger.vendors.errors import Kind

UnknownPaths = Literal["refuse", "read", "pass"]
FORMAT = 1
FILE_BYTES_MAX = 1024 * 1024
UPSTREAMS_MAX = 256
KINDS: tuple[Kind, ...] = get_args(Kind)
VENDORS: dict[Kind, str] = {
    "openai": "openai",
    "azure": "azure.ai.openai",
    "anthropic": "anthropic",
    "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
}
"""As OpenTelemetry's GenAI conventions spell them."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST_REGIONS = (
    re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"),
    re.compile(r"([a-z0-9-]+)-aiplatform\.googleapis\.com"),
    re.compile(r"aiplatform\.([a-z0-9-]+)\.rep\.googleapis\.com"),
    re.compile(r"(eu|us)\.api\.openai\.com"),
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """One endpoint. `base`: its address without a slash at the end.

    `region`: as configured, `region_of_host`: as the address tells it; "" where not.
    """

    name: str
    kind: Kind
    base: str
    vendor: str
    region: str
    unknown_paths: UnknownPaths | None
    ca: Path | None
    profile: str
    region_of_host: str


def region_of(host: str) -> str:
    """The region that the name of a vendor's host tells; "" where it tells none."""
    found = next((match[1] for each in _HOST_REGIONS if (match := each.fullmatch(host))), "")
    return "" if found == "global" else found


def read_upstreams(path: Path) -> dict[str, Upstream]:
    """The endpoints in a file, by name. `Misconfigured` when it is none."""
    try:
        with path.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot read the upstreams: {error.strerror}") from None
    return parse_upstreams(data, path.absolute().parent, str(path))


def parse_upstreams(data: bytes, folder: Path, where: str = "upstreams") -> dict[str, Upstream]:
    """The endpoints in a file's bytes."""
    if len(data) > FILE_BYTES_MAX:
        raise Misconfigured(f"{where}: expected at most {FILE_BYTES_MAX} bytes")
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{where}: expected TOML in UTF-8: {error}") from None
    return _Reader(where, folder).upstreams(tree)


class _Reader:
    """Reads one file; `where` begins every message."""

    def __init__(self, where: str, folder: Path) -> None:
        self._where = where
        self._folder = folder

    def upstreams(self, tree: dict[str, Any]) -> dict[str, Upstream]:
        self._keys(tree, {"format", "upstreams"}, set(), "")
        if tree["format"] is True or tree["format"] != FORMAT:
            raise self._wrong("format", f"{FORMAT}, the only one this build knows", tree["format"])
        listed = tree["upstreams"]
        if not isinstance(listed, list) or not 1 <= len(listed) <= UPSTREAMS_MAX:
            raise self._wrong("upstreams", f"1 to {UPSTREAMS_MAX} tables [[upstreams]]", type(listed).__name__)
        found: dict[str, Upstream] = {}
        for at, each in enumerate(listed):
            upstream = self._upstream(each, f"upstreams[{at}]")
            if upstream.name in found:
                raise self._wrong(f"upstreams[{at}].name", "a name of its own", upstream.name)
            found[upstream.name] = upstream
        return found

    def _upstream(self, value: Any, at: str) -> Upstream:
        if not isinstance(value, dict):
            raise self._wrong(at, "a table", value)
        self._keys(value, {"name", "kind", "url"}, {"vendor", "region", "unknown_paths", "ca", "profile"}, at)
        kind: Kind = self._one_of(value["kind"], KINDS, f"{at}.kind")
        name = value["name"]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._wrong(f"{at}.name", f"text that matches {_NAME.pattern}", name)
        region = self._name(value.get("region", ""), f"{at}.region")
        if kind == "bedrock" and not region:
            raise Misconfigured(f"{self._where}: {at}.region: is missing; requests to Bedrock are signed for it")
        if kind != "bedrock" and "profile" in value:
            raise self._wrong(f"{at}.profile", "no such key for this kind, only for bedrock", value["profile"])
        ca = self._name(value.get("ca", ""), f"{at}.ca")
        unknown: UnknownPaths | None = None
        if "unknown_paths" in value:
            unknown = self._one_of(value["unknown_paths"], get_args(UnknownPaths), f"{at}.unknown_paths")
        base = self._base(value["url"], f"{at}.url")
        return Upstream(
            name=name,
            kind=kind,
            base=base,
            vendor=self._name(value.get("vendor", ""), f"{at}.vendor") or VENDORS[kind],
            region=region,
            unknown_paths=unknown,
            ca=self._folder / ca if ca else None,
            profile=self._name(value.get("profile", ""), f"{at}.profile"),
            region_of_host=region_of(urlsplit(base).hostname or ""),
        )

    def _base(self, value: Any, at: str) -> str:
        if not isinstance(value, str):
            raise self._wrong(at, "an address", value)
        parts: SplitResult = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or "@" in value:
            raise self._wrong(at, "https://HOST, a port and a path where needed, and nothing else", value)
        if parts.scheme == "http" and not is_local(parts.netloc):
            raise self._wrong(at, "https; in clear only to this machine itself", value)
        return value.rstrip("/")

    def _one_of(self, value: Any, known: Any, at: str) -> Any:
        if value not in known:
            raise self._wrong(at, f"one of {', '.join(known)}", value)
        return value

    def _name(self, value: Any, at: str) -> str:
        if value == "":
            return ""
        if not isinstance(value, str):
            raise self._wrong(at, "text", value)
        try:
            return required(value, at)
        except Rejected as error:
            raise Misconfigured(f"{self._where}: {error}") from None

    def _keys(self, tree: dict[str, Any], needed: set[str], optional: set[str], at: str) -> None:
        prefix = f"{at}." if at else ""
        for key in tree:
            if key not in needed | optional:
                known = ", ".join(sorted(needed | optional))
                raise Misconfigured(f"{self._where}: {prefix}{key}: is unknown; expected one of {known}")
        for key in sorted(needed - tree.keys()):
            raise Misconfigured(f"{self._where}: {prefix}{key}: is missing")

    def _wrong(self, at: str, expected: str, found: Any) -> Misconfigured:
        return Misconfigured(f"{self._where}: {at}: expected {expected}, got {found!r}")
