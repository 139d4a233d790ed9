"""The manual of the commands, docs/COMMANDS.md, made from what they say themselves.

python -m ledger.cli.manual > docs/COMMANDS.md
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from ledger.cli.main import cli

_HEAD = """\
# The commands

Made from what the commands say themselves (`python -m ledger.cli.manual > docs/COMMANDS.md`); `audit-ledger COMMAND
--help` shows the same.

- **Home.** Every command that works on a ledger takes `--home DIR`: configuration (docs/CONFIGURATION.md), keys,
  embedded log, segments. Default: `AUDIT_LEDGER_HOME`, else `./.audit-ledger`. `--tenant` can come from
  `AUDIT_LEDGER_TENANT`.
- **Output.** Tables and text for people, at the terminal's width, 100 columns where there is none; `--json` for
  programs. Progress, warnings and errors go to stderr; what takes more than a second says how far it is.
- **Exit codes.** 0 fine; 1 a finding: evidence does not add up, something was rejected, an event asked for is not
  there, an answer is not proven, a limit cut the rows of `sql` short; 2 wrong usage or configuration; 3 something is
  unavailable, try again later; 130 interrupted.
- **Errors.** One line, `error: what is wrong, where, what was expected`; never a content or a key.
  `AUDIT_LEDGER_DEBUG=1` adds the stack trace of what was not expected.
- **Reading leaves a trace.** `reconstruct`, `replay`, `find`, `sql`, `prove` and `disclose` publish an Access event,
  who read what and why (`--reader`, `--role`, `--case`), before they give the answer; when the ledger cannot take it,
  they give none. They need no server: the home is enough. On a home that this user can't write (a read-only mount, a
  snapshot) they show contents only with `--to`, a running gateway that records it; metadata and proofs they give
  without, and say that this was not recorded.
- **What is needed.** `verify` needs segments and `trust.json`, no key. `check-disclosure` needs one verifier key or
  `trust.json`, and neither a home nor a ledger. All other commands work where the home is; `publish`, `import` and
  `change` only need `--to`, and `change gate` and `change check` not even that.
"""


def manual() -> str:
    """The whole file."""
    parts = [_HEAD, "\n| command | what it does |\n| --- | --- |\n"]
    context = click.Context(cli, info_name="audit-ledger")
    commands = dict(_below(cli, context))
    for name, command in commands.items():
        parts.append(f"| [`{name}`](#audit-ledger-{name}) | {_short(command)} |\n")
    for name, command in commands.items():
        parts += _command(command, f"audit-ledger {name}")
    return "".join(parts)


def _command(command: click.Command, path: str) -> Iterator[str]:
    """A command's section, then those of the commands below it."""
    yield f"\n## {path}\n\n"
    told, _, examples = _paragraphs(command).partition("\nExample")
    yield f"{told.strip()}\n"
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n```\n{path} {usage}\n```\n"
    options = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    rows = [record for record in options if record is not None]
    if rows:
        yield "\n| option | meaning |\n| --- | --- |\n"
        yield from (f"| `{_cell(names)}` | {_cell(meaning)} |\n" for names, meaning in rows)
    lines = [line.strip() for line in examples.partition(":")[2].strip().splitlines()]
    if lines:
        yield "\n```sh\n" + "\n".join(lines) + "\n```\n"
    if isinstance(command, click.Group):
        for name, below in _below(command, context):
            yield from _command(below, f"{path} {name}")


def _below(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """A group's commands with their names, in the order of its help."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            yield name, command


def _short(command: click.Command) -> str:
    return _cell(command.short_help or command.get_short_help_str(200))


def _paragraphs(command: click.Command) -> str:
    """The help as it is written, without click's marks."""
    lines = [line.strip() for line in (command.help or "").replace("\b", "").splitlines()]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    click.echo(manual(), nl=False)
