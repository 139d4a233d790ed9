"""Who asks, for whom, and in which story: from a call's own header fields, which go no further than the proxy.

| field                   | says                                                                                  |
| ----------------------- | ------------------------------------------------------------------------------------- |
| `x-ledger-token`        | the calling service: a JWT of an issuer in the roles file, whose role is `producer`    |
| `x-ledger-user-token`   | the person who asks: a JWT of an issuer in the roles file; her identifier is its `sub` |
| `x-ledger-user`         | the person who asks, as the service claims                                            |
| `x-ledger-subjects`     | persons spoken of, by commas                                                          |
| `x-ledger-service`      | the calling service, as it claims; a token or a certificate goes before               |
| `x-ledger-agent`        | the agent that asks: `name` or `name@version`                                         |
| `x-ledger-tenant`       | the tenant, one of those that the proxy serves                                        |
| `x-ledger-session`      | the session                                                                           |
| `x-ledger-correlation`  | the correlation id; without one the trace id of `traceparent`                         |
| `x-ledger-parent`       | the event that led to this one, a UUID                                                |
| `x-ledger-prompt`       | prompts that take part, by commas: `id`, `id@revision`, `id@revision;sha256=HEX`      |
| `x-ledger-class`        | the class of the data: public, internal, confidential, restricted                     |
| `x-ledger-system`, `x-ledger-use-case`, `x-ledger-purpose` | AI system, use case, purpose                       |

`traceparent` (W3C) gives trace and span, and goes on to the vendor. A field of this family that is not known is an
error: one that is misspelt must not be one that is not there. So is a field given twice.

Of the person who asks, the best that is known counts: a token that holds (verified) > `x-ledger-user` (claimed) > what
the request names itself, such as OpenAI's `user` (claimed); the event says which it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from ledger.policy.rules import CLASSES, UNCLASSIFIED
from ledger.proxy.headers import OWN
from ledger.vendors.fields import Fields

FIELDS = frozenset(
    {
        "token",
        "user-token",
        "user",
        "subjects",
        "service",
        "agent",
        "tenant",
        "session",
        "correlation",
        "parent",
        "prompt",
        "class",
        "system",
        "use-case",
        "purpose",
    }
)
VALUE_CHARACTERS_MAX = 8 * 1024
SUBJECTS_MAX = 64
PROMPTS_MAX = 32
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class WrongField(ValueError):
    """A header field of the ledger's own is none; the message names it, never its value."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a call's header fields say. "" and unspecified where they don't."""

    token: str = ""
    user_token: str = ""
    user: str = ""
    subjects: tuple[str, ...] = ()
    service: str = ""
    agent: str = ""
    agent_version: str = ""
    tenant: str = ""
    session: str = ""
    correlation: str = ""
    parent: bytes = b""
    prompts: tuple[Fields, ...] = ()
    data_class: str = UNCLASSIFIED
    system: str = ""
    use_case: str = ""
    purpose: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""


NOTHING_SAID = Said()
_FIRST_LETTERS = (b"x", b"X", b"t", b"T")


def said_by(headers: Iterable[tuple[bytes, bytes]]) -> Said:
    """What header fields say. `WrongField` when one of ours is wrong."""
    own: dict[str, str] = {}
    trace: tuple[bytes, bytes] = (b"", b"")
    for raw_name, raw_value in headers:
        if raw_name[:1] not in _FIRST_LETTERS:
            continue
        name = raw_name.decode("latin-1").lower()
        if name == "traceparent":
            trace = _trace(raw_value.decode("latin-1").strip())
        elif name.startswith(OWN):
            _take(own, name, raw_value)
    if not own and not trace[0]:
        return NOTHING_SAID
    agent, _, version = own.get("agent", "").partition("@")
    data_class = own.get("class", UNCLASSIFIED)
    if data_class not in (*CLASSES, UNCLASSIFIED):
        raise WrongField(f"{OWN}class: expected one of {', '.join(CLASSES)}")
    return Said(
        token=own.get("token", ""),
        user_token=own.get("user-token", ""),
        user=own.get("user", ""),
        subjects=_listed(own, "subjects", SUBJECTS_MAX),
        service=own.get("service", ""),
        agent=agent,
        agent_version=version,
        tenant=own.get("tenant", ""),
        session=own.get("session", ""),
        correlation=own.get("correlation", ""),
        parent=_uuid(own),
        prompts=tuple(_prompt(each) for each in _listed(own, "prompt", PROMPTS_MAX)),
        data_class=data_class,
        system=own.get("system", ""),
        use_case=own.get("use-case", ""),
        purpose=own.get("purpose", ""),
        trace_id=trace[0],
        span_id=trace[1],
    )


def _take(own: dict[str, str], name: str, raw: bytes) -> None:
    field = name.removeprefix(OWN)
    if field not in FIELDS:
        raise WrongField(f"{name}: is unknown; known are {', '.join(OWN + each for each in sorted(FIELDS))}")
    if field in own:
        raise WrongField(f"{name}: is given twice")
    try:
        value = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise WrongField(f"{name}: expected UTF-8") from None
    if len(value) > VALUE_CHARACTERS_MAX:
        raise WrongField(f"{name}: expected at most {VALUE_CHARACTERS_MAX} characters")
    if value:
        own[field] = value


def _trace(value: str) -> tuple[bytes, bytes]:
    """Trace and span of a traceparent; nothing of one that is none, as W3C says."""
    found = _TRACE.fullmatch(value)
    if found is None or value.startswith("ff") or set(found[1]) == {"0"} or set(found[2]) == {"0"}:
        return b"", b""
    return bytes.fromhex(found[1]), bytes.fromhex(found[2])


def _listed(own: Mapping[str, str], field: str, most: int) -> tuple[str, ...]:
    found = tuple(each.strip() for each in own.get(field, "").split(",") if each.strip())
    if len(found) > most:
        raise WrongField(f"{OWN}{field}: expected at most {most} entries")
    return found


def _uuid(own: Mapping[str, str]) -> bytes:
    value = own.get("parent", "")
    try:
        return UUID(value).bytes if value else b""
    except ValueError:
        raise WrongField(f"{OWN}parent: expected a UUID") from None


def _prompt(entry: str) -> Fields:
    named, *others = entry.split(";")
    prompt_id, _, revision = named.strip().partition("@")
    found: Fields = {"prompt_id": prompt_id, "revision": revision or None}
    for other in others:
        key, _, value = other.strip().partition("=")
        if key == "sha256" and _DIGEST.fullmatch(value):
            found["template_sha256"] = bytes.fromhex(value)
        elif key == "role" and value:
            found["role"] = value
        else:
            raise WrongField(f"{OWN}prompt: expected id@revision;sha256=HEX;role=ROLE")
    if not prompt_id:
        raise WrongField(f"{OWN}prompt: expected an id")
    return found


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a call is from, once its credentials are checked.

    `service`: verified where `service_is_verified`. `person`: of a token that holds; "" where there was none.
    """

    tenant: str
    service: str = ""
    service_is_verified: bool = False
    person: str = ""
    credential_id: str = ""


def circumstances(said: Said, who: Who, claimed: str = "", claimed_by: str = "") -> tuple[Fields, list[str]]:
    """The envelope's fields of an event of this call, and which of them were inferred.

    `claimed`: whom the request itself names, in `claimed_by`.
    """
    fields: Fields = {
        "actor_service": who.service or said.service or None,
        "agent": said.agent or None,
        "agent_version": said.agent_version or None,
        "credential_id": who.credential_id or None,
        "subjects": list(said.subjects),
        "session_id": said.session or None,
        "correlation_id": said.correlation or None,
        "parent_event_id": said.parent or None,
        "trace_id": said.trace_id or None,
        "span_id": said.span_id or None,
        "ai_system_id": said.system or None,
        "use_case_id": said.use_case or None,
        "purpose": said.purpose or None,
    }
    derived: list[str] = []
    if not said.correlation and said.trace_id:
        fields["correlation_id"] = said.trace_id.hex()
        derived.append("story.correlation_id")
    if said.data_class != UNCLASSIFIED:
        fields["classification"] = said.data_class
    for user, source, attribute in (
        (who.person, "verified", None),
        (said.user, "claimed", f"{OWN}user"),
        (claimed, "claimed", claimed_by),
    ):
        if user:
            fields |= {"user": user, "identity_source": source, "identity_attribute": attribute}
            break
    return {key: value for key, value in fields.items() if value not in (None, [], ())}, derived
