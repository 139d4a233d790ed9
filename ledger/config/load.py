"""Reading the configuration: file < environment < flags, each refusing what it does not know.

- File: TOML, one table a section (`[gateway]`), keys as in `ledger.config.settings`.
- Environment: `AUDIT_LEDGER_<SECTION>_<KEY>`, such as `AUDIT_LEDGER_GATEWAY_LISTEN`. Every variable with the prefix
  must be a setting, but for those in `ENVIRONMENT_OTHERS`: a misspelt limit must not be a limit that is not there.
- Flags: a mapping from `section.key` to a value; None means that the flag was not given.

In environment and flags a value is text: `true` or `false`, digits, or the text itself. In the file it has TOML's type.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ledger.config.proxy import ProxyConfig
from ledger.config.settings import SECTIONS, LedgerConfig, default_of, meanings
from ledger.errors import Misconfigured

ENVIRONMENT_PREFIX = "AUDIT_LEDGER_"
ENVIRONMENT_OTHERS = frozenset({"AUDIT_LEDGER_HOME", "AUDIT_LEDGER_TENANT", "AUDIT_LEDGER_DEBUG"})
"""Variables of the command line, which are no settings."""

FILE_BYTES_MAX = 1024 * 1024

Values = dict[str, dict[str, Any]]
"""Section to key to value."""


def load(file: Path, *, environment: Mapping[str, str], flags: Mapping[str, Any]) -> LedgerConfig:
    """The configuration in force. `Misconfigured` names the source, the setting, and the nearest known one."""
    values = _given(file, environment, flags)
    for section in SECTIONS:
        for name in meanings(section):
            if name not in values[section] and default_of(section, name) is None:
                raise Misconfigured(f"{file}: [{section}] {name}: is missing; `init` writes it")
    sections = {section: SECTIONS[section](**values[section]) for section in SECTIONS}
    return _with_absolute_paths(LedgerConfig(**sections), file.parent)


def load_proxy(file: Path, *, environment: Mapping[str, str], flags: Mapping[str, Any]) -> ProxyConfig:
    """The proxy's part of a configuration, where there need be no other: a proxy may run where no ledger is."""
    own = ProxyConfig(**_given(file, environment, flags)["proxy"])
    return replace(own, **_absolute("proxy", own, file.parent))


def _given(file: Path, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Values:
    """What the three sources say, each going before the ones before it."""
    values: Values = {section: {} for section in SECTIONS}
    for source in (_from_file(file), _from_environment(environment), _from_flags(flags)):
        for section, given in source.items():
            values[section].update(given)
    return values


def _from_file(file: Path) -> Values:
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Misconfigured(f"{file}: cannot read the configuration: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise Misconfigured(f"{file}: expected at most {FILE_BYTES_MAX} bytes")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise Misconfigured(f"{file}: is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file}: {error}") from None
    found: Values = {}
    for section, table in document.items():
        if section not in SECTIONS:
            raise Misconfigured(f"{file}: [{section}]: unknown section; {_nearest(section, SECTIONS)}")
        if not isinstance(table, dict):
            raise Misconfigured(f"{file}: {section}: expected a table [{section}]")
        found[section] = {
            name: _checked(section, _known(section, name, f"{file}: [{section}] {name}"), value, f"{file}: [{section}]")
            for name, value in table.items()
        }
    return found


def _from_environment(environment: Mapping[str, str]) -> Values:
    known = {
        f"{ENVIRONMENT_PREFIX}{section}_{name}".upper(): (section, name)
        for section in SECTIONS
        for name in meanings(section)
    }
    found: Values = {}
    for variable in sorted(environment):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in ENVIRONMENT_OTHERS:
            continue
        if variable not in known:
            raise Misconfigured(f"environment {variable}: unknown setting; {_nearest(variable, known)}")
        section, name = known[variable]
        where = f"environment {variable}"
        value = _from_text(section, name, environment[variable], where)
        found.setdefault(section, {})[name] = _checked(section, name, value, where)
    return found


def _from_flags(flags: Mapping[str, Any]) -> Values:
    known = [f"{section}.{name}" for section in SECTIONS for name in meanings(section)]
    found: Values = {}
    for flag, value in flags.items():
        if flag not in known:
            raise Misconfigured(f"flag {flag}: unknown setting; {_nearest(flag, known)}")
        if value is None:
            continue
        section, _, name = flag.partition(".")
        where = f"flag {flag}"
        typed = _from_text(section, name, value, where) if isinstance(value, str) else value
        found.setdefault(section, {})[name] = _checked(section, name, typed, where)
    return found


def _known(section: str, name: str, where: str) -> str:
    if name not in meanings(section):
        raise Misconfigured(f"{where}: unknown setting; {_nearest(name, meanings(section))}")
    return name


def _nearest(name: str, known: Collection[str]) -> str:
    (nearest,) = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"the nearest known one is {nearest}"


def _type_of(section: str, name: str) -> Any:
    return get_type_hints(SECTIONS[section])[name]


def _from_text(section: str, name: str, text: str, where: str) -> Any:
    """The value that a text stands for, by the setting's type."""
    wanted = _type_of(section, name)
    if wanted is bool:
        if text not in ("true", "false"):
            raise Misconfigured(f"{where}: expected true or false, got {text!r}")
        return text == "true"
    if wanted is int:
        if not (text.isascii() and text.isdigit()):
            raise Misconfigured(f"{where}: expected a whole number, got {text!r}")
        return int(text)
    return text


def _checked(section: str, name: str, value: Any, where: str) -> Any:
    """`value` as the setting's type and within its bounds."""
    wanted = _type_of(section, name)
    where = where if name in where or name.upper() in where else f"{where} {name}"
    if get_origin(wanted) is Literal:
        if value not in get_args(wanted):
            raise Misconfigured(f"{where}: expected one of {', '.join(get_args(wanted))}, got {value!r}")
        return value
    if wanted is Path:
        if not isinstance(value, str | Path) or not str(value):
            raise Misconfigured(f"{where}: expected a path")
        return Path(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise Misconfigured(f"{where}: expected {_type_name(wanted)}, got {_type_name(type(value))}")
    meaning = meanings(section)[name]
    if meaning.least is not None and value < meaning.least:
        raise Misconfigured(f"{where}: expected at least {meaning.least}, got {value}")
    if meaning.most is not None and value > meaning.most:
        raise Misconfigured(f"{where}: expected at most {meaning.most}, got {value}")
    return value


def _type_name(kind: type) -> str:
    return {int: "a whole number", bool: "true or false", str: "text"}.get(kind, kind.__name__)


def _with_absolute_paths(config: LedgerConfig, home: Path) -> LedgerConfig:
    """Every path, `Path` or text that names a file, made absolute: relative ones are relative to the home."""
    changed: dict[str, Any] = {}
    for section in SECTIONS:
        own = getattr(config, section)
        changed[section] = replace(own, **_absolute(section, own, home))
    return replace(config, **changed)


def _absolute(section: str, own: Any, home: Path) -> dict[str, Any]:
    """A section's paths, absolute."""
    hints = get_type_hints(SECTIONS[section])
    files = {name: str(home / value) for name, value in _files(section, own) if value}
    return files | {name: home / getattr(own, name) for name, wanted in hints.items() if wanted is Path}


def _files(section: str, config: Any) -> list[tuple[str, str]]:
    return [(name, getattr(config, name)) for name, meaning in meanings(section).items() if meaning.is_file]
