"""One loopback vendor for a module: started once, used by every test of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.vendors import anthropic_api, azure_api, bedrock_api, google_api, openai_chat, openai_responses
from tests.vendors.serving import Loopback, serving

TENANT = "acme"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Loopback]:
    """All wire formats on one port, as their paths differ."""
    groups = (openai_chat, openai_responses, azure_api, anthropic_api, google_api, bedrock_api)
    with serving(*(group.routes() for group in groups)) as loopback:
        yield loopback
