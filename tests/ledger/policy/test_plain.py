"""A policy in words: `ledger.policy.plain`."""

from __future__ import annotations

from ledger.policy import parse_policy
from ledger.policy.plain import sentences, warnings
from tests.ledger.policy.test_document import GOOD


def test_every_rule_is_told_in_order() -> None:
    """A reader learns, rule by rule, what is kept, how long, and who may receive it."""
    assert list(sentences(parse_policy(GOOD.encode()))) == [
        "1. health records: for tenant clinic and kinds request or tool_call and class restricted, no content is kept, "
        "only sizes and digests under the person's own key, for 3 months after the month of receipt (short); no vendor "
        "may receive it.",
        "2. the rest of the clinic: for tenant clinic, what patterns find is taken out, the rest is kept encrypted, "
        "for 24 months after the month of receipt (standard); only azure or openai may receive it.",
        "3. Otherwise what patterns find is taken out, the rest is kept encrypted, for 24 months after the month of "
        "receipt (standard); only azure or openai may receive it.",
        "Data that nobody classified counts as confidential; a class that is found to be too low is raised.",
    ]


def test_what_a_proxy_does_is_told() -> None:
    """Where a policy says what happens before data leaves, that is told with the rule."""
    text = GOOD.replace('mode = "metadata"', 'mode = "metadata"\nin_flight = "redact"')
    assert "; a proxy takes out what patterns find before it leaves." in next(sentences(parse_policy(text.encode())))


def test_probable_mistakes_are_told() -> None:
    """A rule that can't decide, a tenant that is not there, a class that nothing uses: allowed, and told."""
    text = GOOD + '\n[[rules]]\nname = "late"\ntenants = ["clinic"]\nclasses = ["public", "internal"]\nmode = "full"\n'
    assert list(warnings(parse_policy(text.encode()), ["acme"])) == [
        "rule late never decides: the rest of the clinic stands before it and takes all of its cases",
        "rule health records: there is no tenant clinic",
        "rule the rest of the clinic: there is no tenant clinic",
        "rule late: there is no tenant clinic",
        "retention class ever is used by no rule",
    ]
    assert list(warnings(parse_policy(GOOD.encode()))) == ["retention class ever is used by no rule"]


def test_a_narrower_rule_before_a_wider_one_is_no_mistake() -> None:
    """A rule is only said never to decide when one before it takes every tenant, kind and class of it."""
    assert not [each for each in warnings(parse_policy(GOOD.encode())) if "never decides" in each]
