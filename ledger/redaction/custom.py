"""Customer-defined patterns: data that becomes rules behind the built-in ones.

One entry is a table:

    name            the type of the placeholder: lower-case ASCII letters, digits, underscores, 32 at most; no built-in
                    one
    pattern         RE2 syntax; the value is its first group, or all of it
    checksum        optional: luhn, verhoeff, mod11_10, ean13, mod97; over the value without separators
    context         optional: RE2 syntax; words of which one must announce the value (`customer no|kundennummer`)
    classification  optional: the lowest class of a text with such a value; `confidential` where none is said

Everything wrong is refused when it is loaded, with the entry and the reason: an unknown key, a pattern RE2 doesn't
take, one that matches nothing at all (it would match everywhere), or one too large to run at the speed of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.errors import Misconfigured
from ledger.redaction.builtin import BUILTIN
from ledger.redaction.checksums import OF_DIGITS
from ledger.redaction.finding import CLASSES, LITERAL, Classification
from ledger.redaction.fragments import announced
from ledger.redaction.matcher import Matcher, compiled
from ledger.redaction.placeholder import is_type
from ledger.redaction.rule import Rule, RulePack

PATTERNS_MAX = 200
PATTERN_CHARS_MAX = 2_000
PROGRAM_SIZE_MAX = 5_000
_KEYS = frozenset({"name", "pattern", "checksum", "context", "classification"})
_TAKEN = frozenset(rule.type for rule in BUILTIN.rules) | {LITERAL}


def pack_with(name: str, version: str, entries: Sequence[Mapping[str, object]], base: RulePack = BUILTIN) -> RulePack:
    """`base` with a customer's patterns behind it, tried as a whole; raises `Misconfigured`."""
    pack = base.with_rules(name, version, custom_rules(entries))
    Matcher(pack)
    return pack


def custom_rules(entries: Sequence[Mapping[str, object]]) -> tuple[Rule, ...]:
    """The rules of a customer's patterns, in order; `Misconfigured` names the entry and what is wrong with it."""
    if len(entries) > PATTERNS_MAX:
        raise Misconfigured(f"redaction patterns: {len(entries)} given, at most {PATTERNS_MAX} are taken")
    rules = tuple(_rule(number, entry) for number, entry in enumerate(entries, 1))
    names = [rule.type for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise Misconfigured(f"redaction pattern {name}: the name stands twice; write one pattern with `|`")
    return rules


def _rule(number: int, entry: Mapping[str, object]) -> Rule:
    where = f"redaction pattern {number}"
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise Misconfigured(f"{where}: unknown key {unknown[0]!r}; there are {', '.join(sorted(_KEYS))}")
    name = _text(where, entry, "name")
    if not is_type(name):
        raise Misconfigured(f"{where}: the name must be lower-case ASCII letters, digits and underscores, 32 at most")
    where = f"{where} ({name})"
    if name in _TAKEN:
        raise Misconfigured(f"{where}: a built-in type has this name")
    pattern = _text(where, entry, "pattern")
    context = _text(where, entry, "context", "")
    whole = announced(context, pattern) if context else pattern
    for part in (pattern, whole):
        _tried(where, part)
    checksum = _text(where, entry, "checksum", "")
    if checksum and checksum not in OF_DIGITS:
        raise Misconfigured(f"{where}: no checksum {checksum!r}; there are {', '.join(sorted(OF_DIGITS))}")
    return Rule(name, name, whole, _class(where, entry), check=checksum, normal="compact" if checksum else "lower")


def _tried(where: str, pattern: str) -> None:
    """Raises unless RE2 takes the pattern, it needs at least one character, and it is no larger than allowed."""
    if len(pattern) > PATTERN_CHARS_MAX:
        raise Misconfigured(
            f"{where}: the pattern has {len(pattern)} characters, at most {PATTERN_CHARS_MAX} are taken"
        )
    found = compiled(pattern, where)
    if found.search(b"") is not None:
        raise Misconfigured(f"{where}: the pattern matches the empty text, so it would match everywhere")
    if found.programsize > PROGRAM_SIZE_MAX:
        size = found.programsize
        raise Misconfigured(f"{where}: the pattern compiles to {size} steps, at most {PROGRAM_SIZE_MAX} are taken")


def _class(where: str, entry: Mapping[str, object]) -> Classification:
    said = _text(where, entry, "classification", "confidential")
    for each in CLASSES:
        if each == said:
            return each
    raise Misconfigured(f"{where}: no classification {said!r}; there are {', '.join(CLASSES)}")


def _text(where: str, entry: Mapping[str, object], key: str, default: str | None = None) -> str:
    value = entry.get(key, default)
    if not isinstance(value, str) or (not value and default is None):
        raise Misconfigured(f"{where}: {key} must be a text" + ("" if default is not None else ", and must be there"))
    return value
