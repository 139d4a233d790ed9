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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import SplitResult, urlsplit

from ledger.client.options import is_local
from ledger.errors import Misconfigured
from ledger.strict_toml import StrictReader, load_toml
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
    return _Reader(where, folder).upstreams(load_toml(data, where, FILE_BYTES_MAX))


class _Reader(StrictReader):
    """Reads one file. Relative paths in it are relative to `folder`."""

    def __init__(self, where: str, folder: Path) -> None:
        super().__init__(where)
        self._folder = folder

    def upstreams(self, tree: dict[str, Any]) -> dict[str, Upstream]:
        self.keys(tree, {"format", "upstreams"}, set(), "")
        self.format(tree["format"], FORMAT)
        listed = tree["upstreams"]
        if not isinstance(listed, list) or not 1 <= len(listed) <= UPSTREAMS_MAX:
            raise self.wrong("upstreams", f"1 to {UPSTREAMS_MAX} tables [[upstreams]]", type(listed).__name__)
        found: dict[str, Upstream] = {}
        for at, each in enumerate(listed):
            upstream = self._upstream(each, f"upstreams[{at}]")
            if upstream.name in found:
                raise self.wrong(f"upstreams[{at}].name", "a name of its own", upstream.name)
            found[upstream.name] = upstream
        return found

    def _upstream(self, value: Any, at: str) -> Upstream:
        value = self.table(value, at)
        self.keys(value, {"name", "kind", "url"}, {"vendor", "region", "unknown_paths", "ca", "profile"}, at)
        kind = cast(Kind, self.one_of(value["kind"], f"{at}.kind", KINDS))
        name = self.match(value["name"], f"{at}.name", _NAME)
        region = self._name(value.get("region", ""), f"{at}.region")
        if kind == "bedrock" and not region:
            raise Misconfigured(f"{self.where}: {at}.region: is missing; requests to Bedrock are signed for it")
        if kind != "bedrock" and "profile" in value:
            raise self.wrong(f"{at}.profile", "no such key for this kind, only for bedrock", value["profile"])
        ca = self._name(value.get("ca", ""), f"{at}.ca")
        unknown: UnknownPaths | None = None
        if "unknown_paths" in value:
            said = self.one_of(value["unknown_paths"], f"{at}.unknown_paths", get_args(UnknownPaths))
            unknown = cast(UnknownPaths, said)
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
            raise self.wrong(at, "an address", value)
        expected = "https://HOST, a port and a path where needed, and nothing else"
        try:
            parts: SplitResult = urlsplit(value)
            has_host = bool(parts.hostname) and parts.port != 0
        except ValueError:  # brackets that do not close, a port that is none
            raise self.wrong(at, expected, value) from None
        if parts.scheme not in ("https", "http") or not has_host or parts.query or parts.fragment or "@" in value:
            raise self.wrong(at, expected, value)
        if parts.scheme == "http" and not is_local(parts.netloc):
            raise self.wrong(at, "https; in clear only to this machine itself", value)
        return value.rstrip("/")

    def _name(self, value: Any, at: str) -> str:
        return "" if value == "" else self.text(value, at)
