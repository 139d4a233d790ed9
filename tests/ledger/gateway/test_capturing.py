"""What is kept of an event: `ledger.gateway.capturing`."""

from __future__ import annotations

import json

import pytest

from ledger.gateway.capturing import Captured, Capturer
from ledger.policy import Policy, parse_policy
from ledger.record.translate import translate
from ledger.redaction.builtin import BUILTIN
from ledger.v1 import event_pb2 as pb
from tests.policies import FULL
from tests.small_ledger import request

MAIL = "mia@example.org"
REDACTING = """
name = "p"
version = "1"
[default]
mode = "redacted"
retention = "standard"
unclassified = "internal"
[retention]
standard = 24
short = 3
[[rules]]
name = "secrets"
classes = ["restricted"]
mode = "metadata"
retention = "short"
vendors = ["azure"]
"""


def capture(event: pb.Event, text: str = REDACTING, tenant: str = "acme", key: bytes = bytes(32)) -> Captured:
    """What this policy makes of an event."""
    policy = parse_policy(text.encode())
    return Capturer(lambda: policy, lambda _: key).capture(tenant, translate(event))


def kept(captured: Captured, slot: str) -> str:
    """The text that is kept of a content."""
    return captured.capture.contents[slot].data.decode()


def findings(captured: Captured) -> list[str]:
    """The rules of the findings beside the event."""
    return [each.finding.rule for each in captured.findings]


def test_full_keeps_everything_and_looks_at_nothing() -> None:
    """Where the policy keeps contents whole there is no decision for single contents, and the policy is named."""
    captured = capture(request(text=f"write to {MAIL}"), FULL)
    assert (captured.capture.mode, captured.capture.policy_version) == ("full", "everything/1")
    assert captured.capture.retention_class == "standard"
    assert not captured.capture.contents
    assert findings(captured) == []


def test_redaction_takes_out_what_is_found_and_counts_it() -> None:
    """Of a redacted content the text without the value is kept, with type, count and the pack that ran."""
    captured = capture(request(text=f"write to {MAIL} or {MAIL}, or call"))
    decided = captured.capture.contents["input"]
    assert MAIL not in kept(captured, "input")
    assert kept(captured, "input").startswith("write to ⟨email:")
    assert decided.detections == (("email", 2),)
    assert decided.rule_pack == f"{BUILTIN.identity}+known/1"
    assert (decided.mode, captured.capture.mode, captured.capture.detected_class) == (
        "redacted",
        "redacted",
        decided.detected_class,
    )


def test_the_persons_whom_the_event_names_are_taken_out() -> None:
    """No pattern finds a user name, but the event says who acts: it is taken out of texts, and kept as her identity."""
    captured = capture(request("mia_li_3668", text="I am mia_li_3668, and not mia_li_36689"))
    assert "mia_li_3668," not in kept(captured, "input")
    assert "⟨person:" in kept(captured, "input")
    assert "mia_li_36689" in kept(captured, "input")
    assert kept(captured, "actor.user") == "mia_li_3668"


def test_one_value_has_one_number_in_a_story_and_others_elsewhere() -> None:
    """The same address in two events of a correlation is one placeholder, also at another gateway; not in another."""
    placeholders = {
        kept(capture(request(text=MAIL, correlation_id=case), key=key), "input")
        for case, key in (("case-1", bytes(32)), ("case-1", bytes(32)), ("case-2", bytes(32)), ("case-1", b"k" * 32))
    }
    assert len(placeholders) == 3


def test_parameters_stay_json() -> None:
    """What is redacted inside JSON leaves valid JSON."""
    event = request()
    event.ClearField("request")
    event.tool_call.tool = "send"
    event.tool_call.parameters.media_type = "application/json"
    event.tool_call.parameters.text = json.dumps({"to": MAIL, "n": 3})
    after = json.loads(kept(capture(event), "parameters"))
    assert after["n"] == 3
    assert after["to"].startswith("⟨email:")


def test_what_is_no_text_is_kept_as_metadata() -> None:
    """Patterns can't look into an image, so of a content that is no text nothing but size and digest is kept."""
    event = request()
    event.request.input.data = b"\xff\xd8\xff\xe0"
    captured = capture(event)
    assert captured.capture.contents["input"].mode == "metadata"
    assert captured.capture.contents["output"].mode == "redacted"
    assert captured.capture.mode == "metadata"


def test_a_policys_own_patterns_are_taken_out() -> None:
    """What a customer's pattern describes is redacted like everything built in, under the policy's name and version."""
    own = REDACTING + '[[patterns]]\nname = "customer_number"\npattern = "K-[0-9]{6}"\n'
    captured = capture(request(text=f"K-123456 wrote from {MAIL}"), own)
    decided = captured.capture.contents["input"]
    assert decided.detections == (("customer_number", 1), ("email", 1))
    assert (decided.rule_pack or "").startswith("p/1@")


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("text/plain", MAIL.encode("utf-16-le")),
        ("text/plain; charset=utf-16", MAIL.encode()),
        ("text/plain", MAIL.replace("@", "\0@").encode()),
        ("text/plain; charset=latin-1", "ü".encode("latin-1")),
    ],
)
def test_a_text_in_another_encoding_is_kept_as_metadata(media_type: str, data: bytes) -> None:
    """What would have to be read in another way than patterns do is not taken for looked at."""
    event = request()
    event.request.input.media_type, event.request.input.data = media_type, data
    assert capture(event).capture.contents["input"].mode == "metadata"


def test_data_kept_whole_is_looked_at_where_it_was_declared_low() -> None:
    """A policy that keeps public data whole is no way around it: found to be restricted, it is ruled as that."""
    lax = REDACTING.replace(
        "[[rules]]", '[[rules]]\nname = "public"\nclasses = ["public"]\nmode = "full"\n[[rules]]', 1
    )
    event = request(text="pay with 4111 1111 1111 1111")
    event.classification = pb.CLASSIFICATION_PUBLIC
    event.request.output.text = "thanks"
    captured = capture(event, lax)
    assert captured.capture.contents["input"].mode == "metadata"
    assert (kept(captured, "output"), captured.capture.contents["output"].mode) == ("thanks", "full")
    assert findings(captured) == ["policy.vendor", "policy.classification"]


def test_a_retrieved_document_counts_as_what_it_is() -> None:
    """A restricted document in a public request is restricted."""
    event = request()
    event.classification = pb.CLASSIFICATION_PUBLIC
    document = event.request.retrieved.add(index_id="i", classification=pb.CLASSIFICATION_RESTRICTED)
    document.text.text = "the document"
    assert capture(event).capture.contents["retrieved.0.text"].mode == "metadata"


@pytest.mark.parametrize(("provider", "rules"), [("openai", ["policy.vendor"]), ("azure", []), ("internal", [])])
def test_a_tools_vendor_is_held_to_the_policy(provider: str, rules: list[str]) -> None:
    """A tool of a vendor that may not have the data is found; one of our own is nobody's vendor."""
    event = request()
    event.classification = pb.CLASSIFICATION_RESTRICTED
    event.ClearField("request")
    event.tool_call.tool, event.tool_call.provider = "send", provider
    assert findings(capture(event)) == rules


def test_identifiers_of_persons_are_no_findings() -> None:
    """Who acts is asked for, whatever the class of the event: her identifier raises nothing by itself."""
    event = request(MAIL)
    event.classification = pb.CLASSIFICATION_PUBLIC
    assert findings(capture(event)) == []


def test_a_class_found_to_be_higher_is_ruled_anew() -> None:
    """A secret in data declared internal makes it restricted: kept as restricted data is, and a finding."""
    event = request(text="key: AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    event.classification = pb.CLASSIFICATION_INTERNAL
    event.request.output.text = "thanks"
    captured = capture(event)
    decided = captured.capture.contents["input"]
    assert decided.detected_class == "restricted"
    assert (decided.mode, decided.retention_class) == ("metadata", "short")
    assert captured.capture.contents["output"].mode == "redacted"
    assert "policy.classification" in findings(captured)


def test_found_data_that_was_declared_public_is_a_finding() -> None:
    """Personal data in an input declared public is reported beside the event, once, under an id of its own."""
    event = request(text=f"write to {MAIL}")
    event.classification = pb.CLASSIFICATION_PUBLIC
    one, two = capture(event), capture(event)
    assert findings(one) == ["policy.classification"]
    assert one.findings == two.findings
    (finding,) = one.findings
    assert list(finding.finding.evidence_event_ids) == [event.event_id]
    assert finding.finding.rule_version == "1"
    assert translate(finding).kind == "finding"
    event.classification = pb.CLASSIFICATION_UNSPECIFIED
    assert findings(capture(event)) == []


@pytest.mark.parametrize(
    ("vendor", "rules"), [("openai", ["policy.vendor"]), ("azure", []), ("", ["policy.vendor_unknown"])]
)
def test_a_vendor_that_may_not_have_it_is_a_finding(vendor: str, rules: list[str]) -> None:
    """What a vendor received against the policy, or may have, is reported, and the event is kept all the same."""
    event = request()
    event.classification = pb.CLASSIFICATION_RESTRICTED
    event.request.vendor = vendor
    captured = capture(event)
    assert findings(captured) == rules
    assert captured.capture.mode == "metadata"


def test_what_was_refused_before_it_left_was_given_to_nobody() -> None:
    """A request refused before it left is no finding against its vendor; one that was answered all the same is."""
    event = request()
    event.classification = pb.CLASSIFICATION_RESTRICTED
    event.request.vendor = "openai"
    event.policy_decision.verdict = pb.VERDICT_REFUSE
    event.request.ClearField("output")
    assert findings(capture(event)) == []
    event.request.output.text = "thanks"
    assert findings(capture(event)) == ["policy.vendor"]


def test_contents_of_another_class_have_rulings_of_their_own() -> None:
    """A content that declares its own class is kept by that class."""
    event = request()
    event.request.output.classification = pb.CLASSIFICATION_RESTRICTED
    captured = capture(event)
    modes = {slot: each.mode for slot, each in captured.capture.contents.items()}
    assert modes == {"actor.user": "redacted", "input": "redacted", "output": "metadata"}


def test_a_new_policy_governs_the_next_event() -> None:
    """Rulings are remembered for a policy, not beyond it."""
    policies: list[Policy] = [parse_policy(REDACTING.encode()), parse_policy(FULL.encode())]
    capturer = Capturer(lambda: policies[0], lambda _: bytes(32))
    assert capturer.capture("acme", translate(request())).capture.mode == "redacted"
    del policies[0]
    assert capturer.capture("acme", translate(request())).capture.mode == "full"
