"""A rotation that is killed after a step: `python -m tests.ledger.keys.rotating WHAT HOME STEPS [LOCATION]`.

STEPS is how many steps are let be; the process then kills itself, as `kill -9` would. WHAT is `master` (HOME: the
folder with the key, LOCATION: where the key store is), `tenant` (the same; killed inside its one transaction) or
`signing` (HOME: a ledger's home).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ledger.home import Home, ledger_key_name
from ledger.keys import rotation
from ledger.keys.masters import MasterKeys, rotate_master
from ledger.keys.opening import open_key_database
from ledger.trust.rotation import rotate_signing_key


def dying(steps: int) -> Callable[..., None]:
    """Counts its calls and ends the process at the one after so many."""
    left = steps

    def on_step(*told: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return on_step


def main(what: str, folder: Path, steps: int, location: str = "") -> None:
    """The rotation; does not return when it has more steps."""
    if what == "signing":
        home = Home.open(folder)
        config = home.config(environment={})
        name = ledger_key_name(config.ledger.name)
        with home.keys(config) as keys:
            rotate_signing_key(home, config, keys, "ledger", name, starts_in_s=0, overlap_s=600, on_step=dying(steps))
        return
    database, places = open_key_database(location, folder), MasterKeys(folder, "master.key")
    if what == "master":
        rotate_master(database, places, dying(steps))
        return
    # Called when everything is sealed anew and the old key not yet deleted.
    rotation._none_left = dying(steps)
    rotation.rotate_tenant_key(database, places.open(), "acme")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
