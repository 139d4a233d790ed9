"""What a Change must say before it is published. Pure.

A Change is read years later by the revision and the digest it names, so a typo in it is worse than none. Here somebody
waits for the answer: everything below raises ValueError or TypeError, and nothing is emitted.

- kind, action and standing are words of the record; the nearest word is named beside what was given;
- an artifact has an id; `deploy`, `approve` and `roll_back` name the revision they lead to, which is none of the moving
  names (`latest`, `stable`, `default`, ...), because what they meant that day can't be found out afterwards;
- digests are SHA-256, 32 bytes or 64 hexadecimal digits; a text given with a digest has that digest, and without one it
  gets it;
- an evaluation is about this artifact: one with another artifact's digest is refused;
- an approval names somebody besides the author;
- `effective_at` has a time zone, and a scope is a list of tenants, not a text.

Reviewers are names, or (name, "verified" | "asserted", source); a name alone is asserted, by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

from ledger.client.builders import change
from ledger.v1 import event_pb2 as pb

MOVING = frozenset(
    {"latest", "stable", "current", "default", "head", "main", "master", "newest", "prod", "production", "*", "any"}
)
LEADS_TO_REVISION = frozenset({"approve", "deploy", "roll_back"})
_REVIEWER = ("name", "standing", "source")


def checked_change(given: Mapping[str, Any]) -> pb.Event:
    """The Change event of these fields (`ledger.client.fields.ChangeFields`)."""
    fields = {name: value for name, value in given.items() if value is not None}
    for name, words in (("artifact_kind", _words("ArtifactKind")), ("action", _words("ChangeAction"))):
        fields[name] = _word(name, fields.get(name), words)
    artifact = fields.get("artifact_id")
    if not isinstance(artifact, str) or not artifact.strip():
        raise ValueError("artifact_id: expected the artifact's id")
    _check_revisions(fields)
    _take_digest(fields)
    fields["reviewers"] = [_reviewer(each) for each in _listed("reviewers", fields.get("reviewers", ()))]
    fields["evaluations"] = [
        _evaluation(each, fields.get("artifact_sha256"))
        for each in _listed("evaluations", fields.get("evaluations", ()))
    ]
    _listed("tenants", fields.get("tenants", ()))
    if fields["action"] == "approve" and not _others(fields):
        raise ValueError("reviewers: an approval names somebody besides the author")
    if "input_sha256" in fields:
        fields["input_sha256"] = [
            _digest("input_sha256", each) for each in _listed("input_sha256", fields["input_sha256"])
        ]
    return change(**fields)


def _words(enum: str) -> tuple[str, ...]:
    names = [value.name for value in pb.DESCRIPTOR.enum_types_by_name[enum].values]
    prefix = names[0].removesuffix("UNSPECIFIED")
    return tuple(name.removeprefix(prefix).lower() for name in names[1:])


def _word(name: str, value: Any, words: tuple[str, ...]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(words):
        return words[value - 1]
    if value in words:
        return str(value)
    near = get_close_matches(str(value).lower().replace("-", "_").replace(" ", "_"), words, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name}: expected one of {', '.join(words)}, got {value!r}{hint}")


def _check_revisions(fields: Mapping[str, Any]) -> None:
    for name in ("from_revision", "to_revision"):
        revision = fields.get(name)
        last = revision.rpartition(":")[2].rpartition("@")[2] if isinstance(revision, str) else ""
        if revision is not None and (not isinstance(revision, str) or not revision.strip()):
            raise ValueError(f"{name}: expected a revision")
        if last.strip().lower() in MOVING or last.lower().endswith("-latest"):
            raise ValueError(f"{name}: {revision!r} is not a revision: it means another one tomorrow; pin it")
    if fields["action"] in LEADS_TO_REVISION and "to_revision" not in fields:
        raise ValueError(f"to_revision: {fields['action']} leads to a revision; name it")
    if "from_revision" in fields and fields["from_revision"] == fields.get("to_revision"):
        raise ValueError("to_revision: is the same as from_revision")


def _take_digest(fields: dict[str, Any]) -> None:
    if "artifact_sha256" in fields:
        fields["artifact_sha256"] = _digest("artifact_sha256", fields["artifact_sha256"])
    text = fields.get("artifact_text")
    if isinstance(text, str | bytes):
        found = sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).digest()
        if fields.setdefault("artifact_sha256", found) != found:
            raise ValueError("artifact_sha256: is not the digest of artifact_text")


def _digest(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value.removeprefix("sha256:"))
        except ValueError:
            raise ValueError(f"{name}: expected 64 hexadecimal digits") from None
    if not isinstance(value, bytes) or len(value) != 32:
        raise ValueError(f"{name}: expected a SHA-256, 32 bytes")
    return value


def _listed(name: str, value: Any) -> Iterable[Any]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(f"{name}: expected a list, got {type(value).__name__}")
    return value


def _reviewer(value: Any) -> pb.Reviewer | dict[str, Any]:
    if isinstance(value, pb.Reviewer):
        return value
    if isinstance(value, str):
        value = {"name": value}
    elif isinstance(value, tuple) and len(value) in (2, 3):
        value = dict(zip(_REVIEWER, value, strict=False))
    if not isinstance(value, Mapping) or not set(value) <= set(_REVIEWER):
        raise TypeError("reviewers: expected names, or (name, standing, source)")
    if not isinstance(value.get("name"), str) or not value["name"].strip():
        raise ValueError("reviewers: expected a reviewer's name")
    standing = _word("reviewers: standing", value.get("standing", "asserted"), _words("ReviewStanding"))
    if standing == "verified" and not value.get("source"):
        raise ValueError("reviewers: a verified review says where it is recorded (source)")
    return {**value, "standing": standing}


def _evaluation(value: Any, artifact_sha256: bytes | None) -> pb.Evaluation | dict[str, Any]:
    if isinstance(value, pb.Evaluation):
        found: Any = value.artifact_sha256 or None
    elif isinstance(value, Mapping):
        value = dict(value)
        for name in ("artifact_sha256", "dataset_sha256"):
            if value.get(name) is not None:
                value[name] = _digest(f"evaluations: {name}", value[name])
        if "verdict" in value:
            value["verdict"] = _word("evaluations: verdict", value["verdict"], _words("EvaluationVerdict"))
        found = value.get("artifact_sha256")
    else:
        raise TypeError("evaluations: expected dicts of their fields")
    if found is not None and artifact_sha256 is not None and found != artifact_sha256:
        raise ValueError("evaluations: is about another artifact than artifact_sha256 names")
    return value  # type: ignore[no-any-return]


def _others(fields: Mapping[str, Any]) -> bool:
    author = str(fields.get("author", "")).strip().casefold()
    names = [each.name if isinstance(each, pb.Reviewer) else each["name"] for each in fields["reviewers"]]
    return any(name.strip().casefold() != author for name in names)
