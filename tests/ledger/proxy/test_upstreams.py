"""The upstreams file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.proxy.upstreams import parse_upstreams, read_upstreams, region_of

GOOD = """
format = 1
[[upstreams]]
name = "openai"
kind = "openai"
url = "https://api.openai.com/"
unknown_paths = "refuse"
ca = "ca.pem"
[[upstreams]]
name = "bedrock"
kind = "bedrock"
url = "https://bedrock-runtime.eu-west-1.amazonaws.com"
region = "eu-west-1"
profile = "ai"
vendor = "aws"
"""


def changed(old: str, new: str) -> bytes:
    """The good file with one thing changed."""
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


def test_every_part_is_read(tmp_path: Path) -> None:
    """A file that uses everything becomes the endpoints it says."""
    found = parse_upstreams(GOOD.encode(), tmp_path)
    assert list(found) == ["openai", "bedrock"]
    openai, bedrock = found.values()
    assert (openai.base, openai.vendor, openai.unknown_paths) == ("https://api.openai.com", "openai", "refuse")
    assert openai.ca == tmp_path / "ca.pem"
    assert (bedrock.vendor, bedrock.region, bedrock.profile, bedrock.region_of_host) == (
        "aws",
        "eu-west-1",
        "ai",
        "eu-west-1",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"format = ", "u: expected TOML in UTF-8"),
        (b"format = 2\nupstreams = []", "u: format: expected 1"),
        (b"format = 1\nupstreams = []", "u: upstreams: expected 1 to 256 tables"),
        (b"format = 1", "u: upstreams: is missing"),
        (changed('name = "openai"', 'name = "Open AI"'), "u: upstreams[0].name: expected text that matches"),
        (changed('name = "bedrock"', 'name = "openai"'), "u: upstreams[1].name: expected a name of its own"),
        (changed('kind = "openai"', 'kind = "cohere"'), "u: upstreams[0].kind: expected one of openai, azure"),
        (changed('url = "https://api', 'url = "http://api'), "u: upstreams[0].url: expected https; in clear only"),
        (changed('url = "https://api.', 'url = "https://user@api.'), "u: upstreams[0].url: expected https://HOST"),
        (changed('openai.com/"', 'openai.com/?key=1"'), "u: upstreams[0].url: expected https://HOST"),
        (changed('openai.com/"', 'openai.com:70000"'), "u: upstreams[0].url: expected https://HOST"),
        (changed("https://api.openai.com/", "https://["), "u: upstreams[0].url: expected https://HOST"),
        (b"format = 1\nupstreams = " + b"[" * 10_000, "u: expected TOML with numbers and lists of a sensible size"),
        (changed('region = "eu-west-1"\n', ""), "u: upstreams[1].region: is missing"),
        (changed('ca = "ca.pem"', 'profile = "x"'), "u: upstreams[0].profile: expected no such key"),
        (changed('ca = "ca.pem"', "ca = 1"), "u: upstreams[0].ca: expected text"),
        (changed('ca = "ca.pem"', 'verify = "no"'), "u: upstreams[0].verify: is unknown"),
        (changed('"refuse"', '"allow"'), "u: upstreams[0].unknown_paths: expected one of refuse, read, pass"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, message: str) -> None:
    """A file that is none is refused with the place, what was expected and what was found."""
    with pytest.raises(Misconfigured) as error:
        parse_upstreams(data, Path("/"), "u")
    assert str(error.value).startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(Misconfigured, match="cannot read the upstreams"):
        read_upstreams(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1"),
        ("bedrock-runtime-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("europe-west4-aiplatform.googleapis.com", "europe-west4"),
        ("aiplatform.eu.rep.googleapis.com", "eu"),
        ("eu.api.openai.com", "eu"),
        ("api.openai.com", ""),
        ("aiplatform.googleapis.com", ""),
    ],
)
def test_hosts_that_tell_a_region(host: str, region: str) -> None:
    """A vendor's host names its region where it does, and nothing is guessed where it does not."""
    assert region_of(host) == region
