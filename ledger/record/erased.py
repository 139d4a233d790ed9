"""What is left of an event that names somebody who was erased: everything but her.

Such an event was on its way when she was erased (in a client's spool, or as a retry) and arrives while the key store
still suppresses her (`ledger.keys.suppression`). It happened, its producer counts it, so it is taken; but nothing of it
may lead to her, or give her a second identity. Exactly:

- her identifiers are gone: `actor_user` is null, of `subjects` her entries are left out and the slots `subjects.<n>` of
  the others numbered anew; her own content `actor.user` is absent;
- every content that names her, alone or with others, is absent: no bytes, no digest, no commitment, no reference;
- contents of others only are kept as ever;
- without another person the event itself stands in her place, never the session: its keys could be found through her;
- the submission digest is over the event's id alone, since one over what was submitted could be tried against a guess.
  A repeat is still told; another body under the same id is taken for one.

A session or event that stood for her alone is treated like her: contents that would stand under it are absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ledger.canonical import text
from ledger.keys.provider import HolderRef
from ledger.record.translate import ContentInput, Submission

T = TypeVar("T")

ENCODING_TAG = "audit-ledger/erased-submission/v1"


def concerns(submission: Submission, suppressed: frozenset[HolderRef]) -> bool:
    """Whether any of these stands in the event or for it."""
    if not suppressed.isdisjoint(submission.holders):
        return True
    return any(
        _names(submission, content, suppressed)
        for content in submission.contents
        if content.data is not None or content.reference is not None
    )


def without(submission: Submission, suppressed: frozenset[HolderRef]) -> tuple[Submission, dict[str, str]]:
    """The event without these persons, and the new names of its slots by their old ones."""
    gone = {ref.identifier for ref in suppressed if ref.kind == "person"}
    renamed = {content.slot: content.slot for content in submission.contents}
    subjects: list[tuple[str, str | None]] = []
    for at, subject in enumerate(submission.subjects):
        if subject[0] in gone:
            del renamed[f"subjects.{at}"]
        else:
            renamed[f"subjects.{at}"] = f"subjects.{len(subjects)}"
            subjects.append(subject)
    contents = tuple(
        _absent(content) if _names(submission, content, suppressed) else content._replace(slot=renamed[content.slot])
        for content in submission.contents
        if content.slot in renamed
    )
    persons = tuple([each for each in submission.persons if each not in gone])
    alone = HolderRef("event", submission.event_id.hex())
    left = submission._replace(
        contents=contents,
        actor_user=None if submission.actor_user in gone else submission.actor_user,
        subjects=tuple(subjects),
        persons=persons,
        holders=tuple([HolderRef("person", each) for each in persons]) if persons else (alone,),
        session_id=submission.session_id if persons else None,
    )
    return left, renamed


def renamed_slots(values: Mapping[str, T], renamed: Mapping[str, str]) -> dict[str, T]:
    """What was said of slots, under their new names."""
    return {renamed[slot]: value for slot, value in values.items() if slot in renamed}


def encoding_of_erased(event_id: bytes) -> bytes:
    """What the submission digest is over, in place of the event as it was submitted."""
    return text.encode(ENCODING_TAG) + event_id


def _names(submission: Submission, content: ContentInput, suppressed: frozenset[HolderRef]) -> bool:
    """Whether a content stands under one of these."""
    if content.persons:
        return any(HolderRef("person", each) in suppressed for each in content.persons)
    if submission.persons:
        stand_in = HolderRef("session", submission.session_id) if submission.session_id is not None else None
        return stand_in in suppressed
    return not suppressed.isdisjoint(submission.holders)


def _absent(content: ContentInput) -> ContentInput:
    return content._replace(data=None, reference=None, persons=())
