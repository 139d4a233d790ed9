"""File patterns of the declaration, and the ids that paths give.

    *       any characters inside one folder or file name
    ?       one character
    **      any number of folders, as a whole part: prompts/**/*.md

What begins with a dot is matched only where the pattern says the dot. Matching takes time that grows with the lengths
of pattern and path, whatever they are: the pattern comes from the repository, and so does the path.

An id is made from the path by a template:

    {path}      the path below the pattern's fixed folders, without the last suffix: `support/system`
    {stem}      the file's name without the last suffix: `system`
    {name}      the file's name: `system.md`
    {folder}    the name of the folder it is in: `support`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ledger.errors import Misconfigured

PATTERN_CHARACTERS_MAX = 256
_PLACE = re.compile(r"\{([^{}]*)\}")
_PLACES: dict[str, Callable[[Sequence[str], str, str], str]] = {
    "path": lambda below, stem, _: "/".join([*below[:-1], stem]),
    "stem": lambda below, stem, _: stem,
    "name": lambda below, stem, _: below[-1],
    "folder": lambda below, stem, folder: folder,
}


def check_pattern(pattern: str) -> None:
    """`Misconfigured` for what is no pattern of files inside the repository."""
    parts = pattern.split("/")
    if not pattern or len(pattern) > PATTERN_CHARACTERS_MAX:
        raise Misconfigured(f"expected a pattern of 1 to {PATTERN_CHARACTERS_MAX} characters")
    if any(part in ("", ".", "..") for part in parts):
        raise Misconfigured("expected a path below the repository's root, without empty parts, '.' and '..'")
    if any("**" in part and part != "**" for part in parts):
        raise Misconfigured("expected '**' as a whole part of the path")


def check_template(template: str) -> None:
    """`Misconfigured` for an id that names a place there is not."""
    for place in _PLACE.findall(template):
        if place not in _PLACES:
            raise Misconfigured(f"expected places of {', '.join(f'{{{each}}}' for each in _PLACES)}")
    if "{" in _PLACE.sub("", template) or "}" in _PLACE.sub("", template):
        raise Misconfigured("expected braces around the name of a place only")


def matches(pattern: str, path: str) -> bool:
    """Whether a path, in parts separated by `/`, is one of the pattern's."""
    return _wild(pattern.split("/"), path.split("/"), "**", _is_folder, _part_matches)


def _is_folder(part: str) -> bool:
    return not part.startswith(".")


def _part_matches(pattern: str, part: str) -> bool:
    if part.startswith(".") and not pattern.startswith("."):
        return False
    return _wild(pattern, part, "*", lambda _: True, lambda wanted, found: wanted in ("?", found))


def _wild(
    pattern: Sequence[str],
    items: Sequence[str],
    star: str,
    may_skip: Callable[[str], bool],
    fits: Callable[[str, str], bool],
) -> bool:
    """Wildcard matching with one step back: the last star takes one item more whenever what follows does not fit."""
    at = found = 0
    star_at, star_found = -1, 0
    while found < len(items):
        if at < len(pattern) and pattern[at] == star:
            star_at, star_found = at, found
            at += 1
        elif at < len(pattern) and fits(pattern[at], items[found]):
            at += 1
            found += 1
        elif star_at >= 0 and may_skip(items[star_found]):
            star_found += 1
            at, found = star_at + 1, star_found
        else:
            return False
    return all(each == star for each in pattern[at:])


def fixed_folder(pattern: str) -> str:
    """The folders before the first part with a wildcard; of a plain path, the path itself."""
    parts = pattern.split("/")
    wild = next((i for i, part in enumerate(parts) if "*" in part or "?" in part), len(parts))
    return "/".join(parts[:wild])


def id_of(template: str, pattern: str, path: str) -> str:
    """The id that a template gives to a path of the pattern."""
    parts = path.split("/")
    fixed = 0 if fixed_folder(pattern) == "" else len(fixed_folder(pattern).split("/"))
    below = parts[min(fixed, len(parts) - 1) :]
    stem = below[-1].rpartition(".")[0] or below[-1]
    folder = parts[-2] if len(parts) > 1 else ""
    return _PLACE.sub(lambda found: _PLACES[found[1]](below, stem, folder), template)
