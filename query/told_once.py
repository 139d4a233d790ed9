"""A story for people: what is behind an artifact, and each system instruction, only where it first takes part.

What is repeated for programs with every step would bury the steps for whoever reads them one after the other.
"""

from __future__ import annotations

from dataclasses import replace

from query.evidence import SealedEvent
from query.governance import ALWAYS
from query.story import Story

INSTRUCTIONS = "system_instructions"


def told_once(story: Story) -> Story:
    """The story with what is behind an artifact, and each system instruction, only where it first takes part."""
    told: set[tuple[str, str, str | None, tuple[bytes, ...]]] = set()
    instructions: dict[bytes, int] = {}
    steps = []
    for step in story.steps:
        governance = []
        for each in step.governance:
            key = (each.kind, each.artifact_id, each.revision, tuple(act.event.event_id for act in each.changes))
            if key not in told:
                governance.append(each)
            elif each.kind in ALWAYS or each.flags:
                governance.append(replace(each, changes=(), text=None, text_unavailable=None))
            told.add(key)
        events = tuple(_instructed_once(event, step.number, instructions) for event in step.events)
        steps.append(replace(step, governance=tuple(governance), events=events))
    return replace(story, steps=tuple(steps))


def _instructed_once(event: SealedEvent, number: int, instructions: dict[bytes, int]) -> SealedEvent:
    contents = []
    for content in event.contents:
        if content.slot == INSTRUCTIONS and content.data is not None:
            first = instructions.setdefault(content.data, number)
            if first != number:
                content = replace(content, data=None, unavailable=f"it is the same as in step {first}")
        contents.append(content)
    return replace(event, contents=tuple(contents))
