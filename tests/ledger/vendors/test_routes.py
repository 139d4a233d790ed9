"""What a path of a vendor's endpoint is."""

from __future__ import annotations

import pytest

from ledger.vendors import route_of
from tests.ledger.vendors.wires import route


@pytest.mark.parametrize(
    ("path", "format_", "model", "place"),
    [
        ("/openai/v1/chat/completions", "openai.chat", "", ("", "", "")),
        ("/openai/deployments/support%20one/chat/completions", "openai.chat", "support one", ("support one", "", "")),
        ("/v1/completions", "openai.completions", "", ("", "", "")),
        ("/anthropic/v1/messages", "anthropic.messages", "", ("", "", "")),
        (
            "/v1/projects/p/locations/eu/publishers/anthropic/models/claude-x@1:streamRawPredict",
            "anthropic.messages",
            "claude-x@1",
            ("", "eu", "p"),
        ),
        ("/v1/projects/p/locations/eu/endpoints/77:generateContent", "gemini.generate", "", ("77", "eu", "p")),
        ("/v1/projects/p/locations/eu/endpoints/openapi/chat/completions", "openai.chat", "", ("", "eu", "p")),
        ("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Aprompt%2FX/converse", "bedrock.converse", "", ("", "", "")),
    ],
)
def test_paths(path: str, format_: str, model: str, place: tuple[str, str, str]) -> None:
    """A path tells format, model, deployment, region and project, behind any prefix."""
    found = route(path)
    assert found.format == format_
    assert (found.deployment, found.region, found.project) == place
    assert found.model == (model or found.model)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/threads/t/messages"),
        ("POST", "/v1/files"),
        ("POST", "/v1beta/models/x:tunedThing"),
        ("POST", "/guardrail/g/version/1/apply"),
        ("POST", "/v1/chat/completions/extra"),
    ],
)
def test_paths_that_are_not_known(method: str, path: str) -> None:
    """What is not known is not taken for something else."""
    assert route_of(method, path) is None
