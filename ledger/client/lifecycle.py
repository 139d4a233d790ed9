"""What happens to clients when the process forks or ends.

Fork: every open client is made quiet before, goes on in the parent, and begins anew in the child. `multiprocessing`
children end without `atexit`; they run `multiprocessing.util`'s finalizers instead, so closing is registered there too.

End: all open clients send at the same time; they share one deadline, and the moment from which each is counted as being
without progress. Nothing here raises: a client must not break the program it serves.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from typing import TYPE_CHECKING

from ledger.client.notices import LOGGER

if TYPE_CHECKING:
    from ledger.client.sync import Client

_clients: dict[int, Client] = {}
"""Open clients. One that the program forgot without closing it goes on, and is closed at the end."""
_kept: list[object] = []


def register(client: Client) -> None:
    """An open client."""
    _clients[id(client)] = client


def forget(client: Client) -> None:
    """A closed client."""
    _clients.pop(id(client), None)


def keep(inherited: object) -> None:
    """Keeps what a child inherited from being destroyed: its destructors belong to the parent."""
    _kept.append(inherited)


def _open_clients() -> list[Client]:
    return list(_clients.values())


def _each(what: str, method: str, *arguments: object) -> None:
    for client in _open_clients():
        try:
            getattr(client, method)(*arguments)
        except Exception as error:
            LOGGER.warning("%s: a client failed with %s; it is left as it is", what, type(error).__name__)


def _before_fork() -> None:
    _each("before a fork", "before_fork")


def _after_fork_in_parent() -> None:
    _each("after a fork", "after_fork_in_parent")


def _after_fork_in_child() -> None:
    _each("in a forked child", "after_fork_in_child")
    _close_with_multiprocessing()


class _Mark:
    """What `register_after_fork` holds on to."""


def _close_with_multiprocessing() -> None:
    """Whatever this process is to multiprocessing, or becomes: closes the clients at its end."""
    util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
    if util is None or process is None:
        return
    # A worker about to start clears the finalizers it inherited, then calls this.
    util.register_after_fork(_Mark, _finalize)
    if process.parent_process() is not None:
        _finalize(None)


def _finalize(_: object) -> None:
    # Closing twice does nothing: it does not matter how often this is registered.
    sys.modules["multiprocessing.util"].Finalize(None, _at_exit, exitpriority=0)


def _at_exit() -> None:
    began = time.monotonic()
    end = began + max((client.options.exit_timeout_s for client in _open_clients()), default=0.0)
    _each("at exit", "before_exit")
    for client in _open_clients():
        try:
            client.at_exit(began, end)
        except Exception as error:
            LOGGER.warning("at exit: a client failed with %s", type(error).__name__)
    _clients.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
_close_with_multiprocessing()
