"""The entry point of `audit-ledger`.

Commands are the entry points of group `audit_ledger.cli`: a command's name, and where it is. So `ledger` needs to
import neither `consumers` nor `query`, another package can bring its own, and only the command that was called is
imported (`ledger.cli.lazy`).

Errors become one line on stderr and an exit code; a stack trace is shown only where AUDIT_LEDGER_DEBUG is set.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
import traceback
from importlib.metadata import entry_points

import click

from ledger import __version__
from ledger.cli.lazy import LazyGroup
from ledger.errors import LedgerError, Misconfigured, Unavailable

GROUP = "audit_ledger.cli"
INTERRUPTED = 130
_NAMED_WRONGLY = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG}
)
_ORDER = (
    *("init", "tenant", "policy", "roles", "up", "serve", "seal", "compact", "resume", "serve-query", "proxy"),
    *("publish", "import", "change", "reconstruct", "replay", "find", "sql", "coverage", "prove", "disclose"),
    *("check-disclosure", "check-export", "checkpoint"),
    *("keys", "erase", "expire", "hold", "restore", "verify", "fsck", "status", "demo"),
)


class _Commands(LazyGroup):
    """The commands, in the order in which somebody new meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        rank = {name: place for place, name in enumerate(_ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: (rank.get(name, len(rank)), name))


def _places() -> dict[str, str]:
    """Every installed package's commands."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


@click.group(
    cls=_Commands, places=_places(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="audit-ledger")
def cli() -> None:
    """An event-sourced, tamper-evident audit ledger for AI systems.

    \b
    Start here:
      audit-ledger init --name audit.example.org
      audit-ledger tenant add acme
      audit-ledger up
    """


def main() -> None:
    """Runs the command line; never returns."""
    debug = os.environ.get("AUDIT_LEDGER_DEBUG", "") not in ("", "0")
    stdout = sys.stdout
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as finished:
        code = finished.exit_code
    except click.Abort:
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except LedgerError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (BrokenPipeError, SystemExit) as ended:
        # click answers a broken pipe by exchanging the streams and exiting with 1, which here means a finding.
        if isinstance(ended, SystemExit) and sys.stdout is stdout:
            raise
        # Whoever read our output has seen enough; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        code = 0
    except OSError as error:
        code = _unexpected(error, debug=debug) if error.filename is None else _of_file(error)
    except Exception as error:
        code = _unexpected(error, debug=debug)
    sys.exit(code if isinstance(code, int) else 0)


def _of_file(error: OSError) -> int:
    """A file or folder that was named wrongly is the caller's; a disk that is full or failing is worth another try."""
    click.echo(f"error: {error.filename}: {error.strerror}", err=True)
    return Misconfigured.exit_code if error.errno in _NAMED_WRONGLY else Unavailable.exit_code


def _unexpected(error: Exception, *, debug: bool) -> int:
    """A mistake of ours: one line and an id, the trace only where it was asked for."""
    name = secrets.token_hex(4)
    if debug:
        traceback.print_exc()
    click.echo(
        f"error {name}: unexpected {type(error).__name__}; AUDIT_LEDGER_DEBUG=1 shows where it comes from", err=True
    )
    return 1


if __name__ == "__main__":
    main()
