"""What a name in clear must not hold: `ledger.redaction.clear_names`."""

from __future__ import annotations

import pytest

from ledger.redaction.clear_names import held_in


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("mia.li@example.org", "email"),
        ("session of mia.li@example.org", "email"),
        ("session:mia.li%40example.org", "email"),
        ("\uff4dia@example.org", "email"),
        ("ghp_" + "a1B2" * 9, "github_token"),
        ("sk-ant-api03-" + "x1y2" * 6, "anthropic_key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "jwt"),
    ],
)
def test_addresses_and_tokens_are_told(text: str, type_: str) -> None:
    """An e-mail address or a token in a name is found, however it is written, and told by its type alone."""
    assert held_in(text) == type_


@pytest.mark.parametrize(
    "text",
    [
        "gpt-4o-2024-08-06",
        "airline-000-0",
        "4111111111111111",
        "00000000-0000-87c8-b69c-51ef1f2eca49",
        "2026-11-21T12:00:00Z",
        "git@github.com:acme/prompts.git",
        "runner@acme-prod.iam.gserviceaccount.com",
        "noreply@acme.example",
        "prompts/support/v3.md@main",
        "arn:aws:bedrock:eu-central-1:123456789012:model/x",
        "10.0.0.1",
        "sk-learn",
        "+49 30 1234567",
    ],
)
def test_names_as_they_are_pass(text: str) -> None:
    """Ids, versions, paths, numbers of any kind and addresses of machines are names."""
    assert held_in(text) is None
