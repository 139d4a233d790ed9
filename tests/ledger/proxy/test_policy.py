"""The policy before a request leaves: what is refused the vendor never sees, what is redacted he sees without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types as google_types

from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.client.gateway import ScriptedGateway, wait_until
from tests.ledger.proxy.running import POLICY, Running, proxied
from tests.ledger.proxy.speaking import bedrock_client
from tests.ledger.proxy.test_clients import held
from tests.vendors import bedrock_api
from tests.vendors.serving import Loopback
from tests.vendors.turns import PLAIN

MAIL = "mia.meier@example.org"
CARD = "4111 1111 1111 1111"
REDACT = POLICY + '[[rules]]\nname = "mail"\nclasses = ["confidential", "restricted"]\nin_flight = "redact"\n'
REFUSE = POLICY + '[[rules]]\nname = "cards stay"\nclasses = ["restricted"]\nin_flight = "refuse"\n'
VENDORS = POLICY + '[[rules]]\nname = "only azure"\nclasses = ["restricted"]\nvendors = ["azure.ai.openai"]\n'
ALWAYS = POLICY.replace('unclassified = "internal"', 'unclassified = "internal"\nin_flight = "redact"')


def client(proxy: Running, **headers: str) -> openai.OpenAI:
    """OpenAI's client, to this proxy."""
    return openai.OpenAI(base_url=f"{proxy.url}/openai/v1", api_key="k", max_retries=0, default_headers=headers)


def ask(proxy: Running, text: str, **headers: str) -> str:
    """One question."""
    with client(proxy, **headers) as found:
        messages: Any = [{"role": "user", "content": text}]
        return str(found.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content)


def test_what_is_refused_never_leaves(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """A card number refused by a rule: 403 in the vendor's way, nothing at the vendor, and the decision on record."""
    with proxied(gateway, vendor.url, tmp_path, policy=REFUSE) as proxy:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(proxy, f"My card is {CARD}")
        assert refused.value.code == "audit_ledger_policy"
        assert CARD not in str(refused.value)
        assert refused.value.response.headers["x-ledger-recorded"] == "yes"
        event = proxy.event()
        assert refused.value.response.headers["x-ledger-event"].replace("-", "") == event.event_id.hex()
        assert vendor.seen == []
        assert ask(proxy, "Good morning") == PLAIN
        assert proxy.metric("refused_total") == 1
    decision = event.policy_decision
    assert (decision.verdict, decision.rule) == (pb.VERDICT_REFUSE, "cards stay")
    assert (decision.policy_id, decision.policy_revision) == ("test", "1")
    assert event.request.error_class == "policy_refused"
    assert event.request.output_delivered == pb.DELIVERY_WITHHELD
    assert CARD in event.request.input.text
    assert not event.request.HasField("output")
    assert translate(event).kind == "request"


def test_a_vendor_that_may_not_have_it_never_gets_it(
    gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """Data of a class goes to the vendors that may have it, and to no other; declared or found."""
    with proxied(gateway, vendor.url, tmp_path, policy=VENDORS) as proxy:
        for text, headers in ((f"My card is {CARD}", {}), ("Good morning", {"x-ledger-class": "restricted"})):
            with pytest.raises(openai.PermissionDeniedError):
                ask(proxy, text, **headers)
        assert vendor.seen == []
        azure = openai.AzureOpenAI(
            azure_endpoint=f"{proxy.url}/azure", api_version="2024-10-21", api_key="k", max_retries=0
        )
        with azure:
            messages: Any = [{"role": "user", "content": f"My card is {CARD}"}]
            answer = azure.chat.completions.create(model="support-gpt4o", messages=messages)
        assert answer.choices[0].message.content == PLAIN
        assert [each.request.vendor for each in proxy.events(3)] == ["openai", "openai", "azure.ai.openai"]


def spoken(proxy: Running, name: str, text: str) -> str:
    """One vendor's client asks."""
    if name == "openai":
        return ask(proxy, text, **{"x-ledger-user": "mia_li_3668"})
    custom = {"x-ledger-user": "mia_li_3668"}
    if name == "anthropic":
        with anthropic.Anthropic(
            base_url=f"{proxy.url}/anthropic", api_key="k", max_retries=0, default_headers=custom
        ) as found:
            messages: Any = [{"role": "user", "content": [{"type": "text", "text": text}]}]
            answer = found.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=messages)
            return str(answer.content[0].text)  # type: ignore[union-attr]
    if name == "gemini":
        options = google_types.HttpOptions(base_url=f"{proxy.url}/gemini", headers=custom)
        google = genai.Client(api_key="k", http_options=options)
        answered = google.models.generate_content(model="gemini-2.5-flash", contents=text)
        google.close()
        return str(answered.text)
    asking: Any = [{"role": "user", "content": [{"text": text}]}]
    said = bedrock_client(proxy.url).converse(modelId=bedrock_api.MODEL, messages=asking)
    return str(said["output"]["message"]["content"][0]["text"])


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "bedrock"])
def test_what_is_redacted_leaves_without_it(
    name: str, gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """The vendor sees neither address nor number; what he saw is what is recorded, and the answer comes back."""
    with proxied(gateway, vendor.url, tmp_path, policy=REDACT) as proxy:
        assert spoken(proxy, name, f"Write to {MAIL}, and again to {MAIL}: card {CARD}") == PLAIN
        event = proxy.event()
    (seen,) = vendor.seen
    sent = seen.body.decode()
    assert MAIL not in sent
    assert "4111" not in sent
    assert json.loads(sent)
    assert sent.count("⟨email:") == 2
    assert int(seen.headers["Content-Length"]) == len(seen.body)
    assert (event.policy_decision.verdict, event.policy_decision.rule) == (pb.VERDICT_REDACT, "mail")
    assert held(event, MAIL, "4111") == []
    assert "⟨email:" in event.request.input.text
    (guardrail,) = event.request.guardrails
    assert (guardrail.name, guardrail.verdict) == ("audit-ledger-redaction", pb.VERDICT_REDACT)
    assert guardrail.version.startswith("builtin/")
    assert translate(event).kind == "request"


def test_the_person_who_asks_is_taken_out_too(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """Where redaction is due the identifier of the person for whom is asked goes no further either."""
    with proxied(gateway, vendor.url, tmp_path, policy=ALWAYS) as proxy:
        ask(proxy, "I am mia_li_3668, where is it?", **{"x-ledger-user": "mia_li_3668"})
    assert b"mia_li_3668" not in vendor.seen[0].body
    assert "⟨person:" in vendor.seen[0].body.decode()


def test_a_conversation_reads_the_same_in_every_turn(
    gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """The same value has the same placeholder in every turn of a session, and another in another session."""
    with proxied(gateway, vendor.url, tmp_path, policy=REDACT) as proxy:
        for session in ("s-1", "s-1", "s-2"):
            ask(proxy, f"Write to {MAIL}", **{"x-ledger-session": session})
    bodies = [each.body for each in vendor.seen]
    assert bodies[0] == bodies[1] != bodies[2]


def test_what_can_not_be_looked_into_does_not_leave(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """Where everything has to be redacted, an image that nobody can look into is refused, not let through."""
    with proxied(gateway, vendor.url, tmp_path, policy=ALWAYS) as proxy:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
        with client(proxy) as found, pytest.raises(openai.PermissionDeniedError):
            found.chat.completions.create(model="gpt-4o", messages=messages)
        assert proxy.event().policy_decision.verdict == pb.VERDICT_REFUSE
    assert vendor.seen == []


def test_a_changed_policy_is_taken(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """A running proxy takes a new version of the file; one that is no policy, or says another thing, is not taken."""
    with proxied(gateway, vendor.url, tmp_path) as proxy:

        def is_refused() -> bool:
            try:
                ask(proxy, f"My card is {CARD}")
            except openai.PermissionDeniedError:
                return True
            return False

        assert not is_refused()
        proxy.write_policy(REFUSE.replace('version = "1"', 'version = "2"'))
        wait_until(is_refused)
        proxy.write_policy(POLICY.replace('version = "1"', 'version = "2"'))
        wait_until(lambda: proxy.metric("policy_file_refused") == 1)
        assert is_refused()
        proxy.write_policy(POLICY.replace('version = "1"', 'version = "3"'))
        wait_until(lambda: proxy.metric("policy_file_refused") == 0)
        assert not is_refused()
        proxy.write_policy("name = ")
        wait_until(lambda: proxy.metric("policy_file_refused") == 1)
        assert not is_refused()
        wait_until(lambda: gateway.accepted[-1].policy_decision.policy_revision == "3")
