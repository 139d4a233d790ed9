"""Whether a model's name fixes a version. `latest` is no pin: what it answers with tomorrow nobody has evaluated.

In this order:

| what the name is                                                               | verdict    |
| ------------------------------------------------------------------------------ | ---------- |
| empty, or white space or unprintable characters in it                          | refused    |
| a floating word (`latest`, `default`, `auto`, `stable`, ...), alone or as its  | refused    |
| last part behind `-`, `:`, `@` or `/`                                          |            |
| in the vendors' list (`model_names.json`): a name that the vendor moves on     | refused    |
| ending in a date, a build number or a digest                                   | pinned     |
| anything else, tags such as `llama3:8b` too                                    | unverified |

What ends in a version: `-2024-08-06`, `-20241022`, `-0613`, `-2411`, `-08-2024`, `-05-20`, `-001`, `-v1:0`,
`@20240620`, `@001`, `@sha256:<64 hex>`, `@<40 hex>`. A last word such as `-preview` behind the date does not change
that (`gpt-4-0125-preview`).

*Unverified* is allowed and told: a name such as `command-r7b` may or may not be moved by whoever serves it. Prefixes of
a cloud (`us.anthropic.`, `publishers/google/models/`, `models/`) are not part of the name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Verdict = Literal["pinned", "unverified", "floating"]

FLOATING_WORDS = frozenset(
    {
        *("latest", "default", "auto", "stable", "current", "newest", "recommended", "any", "main", "master", "head"),
        *("edge", "nightly", "canary", "dev", "prod", "production", "live", "lts"),
    }
)
_MONTH, _DAY, _YEAR = "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])", "20[0-9]{2}"
_VERSION = re.compile(
    rf"(?:-{_YEAR}-?{_MONTH}-?{_DAY}|-{_MONTH}-?{_DAY}|-2[0-9]{_MONTH}|-{_MONTH}-{_YEAR}|-00[0-9]|-v[0-9]+:[0-9]+"
    rf"|@{_YEAR}{_MONTH}{_DAY}|@00[0-9]|@sha256:[0-9a-f]{{64}}|@[0-9a-f]{{40}})(?:-preview|-exp)?$",
)
_LAST_PART = re.compile(r"(?:^|[-:@/])([a-z]+)$")
_PREFIX = re.compile(
    r"^(?:(?:us|eu|apac|global|jp|au)\.)?(?:(?:anthropic|meta|mistral|cohere|amazon|ai21|deepseek|openai|qwen)\.)?"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """What a model's name is worth as a pin, and why."""

    verdict: Verdict
    reason: str


@cache
def floating_names() -> dict[str, str]:
    """Names that their vendors move on, each with where that is known from."""
    vendors = json.loads(files("ledger.changes").joinpath("model_names.json").read_bytes())["vendors"]
    return {name: each["source"] for each in vendors for name in each["floating"]}


def judge_pin(model: str) -> Pin:
    """What a name is worth as a pin."""
    if not model or not model.isprintable() or any(each.isspace() for each in model):
        return Pin("floating", "expected a name without white space")
    folded = model.lower()
    last = _LAST_PART.search(folded)
    if last is not None and last[1] in FLOATING_WORDS:
        return Pin("floating", f"'{last[1]}' names whatever is newest or set elsewhere, not a version")
    bare = _PREFIX.sub("", folded.rpartition("/")[2])
    for name in (folded, bare):
        source = floating_names().get(name)
        if source is not None:
            return Pin("floating", f"its vendor moves this name from version to version ({source})")
    found = _VERSION.search(folded)
    if found is not None:
        return Pin("pinned", f"ends in the version {found[0].lstrip('-@')}")
    return Pin("unverified", "no date, build or digest in it: whether it is moved is not known")
