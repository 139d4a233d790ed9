"""Landlock by system calls: from here on this process may read what was named, and nothing else.

Landlock (Linux 5.13 and later) lets an unprivileged process give up rights for good, for itself and everything it
starts. A ruleset names the kinds of access it *handles*; of those, only what a rule allows below a folder (or on one
file) stays possible. Nothing takes a ruleset off again, and a further one can only narrow it.

`restrict_to_reading` handles every kind of access the running kernel knows, and allows only reading files and listing
folders on what it is given:

| ABI | Linux | handled besides                                                                  |
| --- | ----- | -------------------------------------------------------------------------------- |
| 1   | 5.13  | open for reading, writing, running; listing; making, removing and linking files  |
| 2   | 5.19  | moving or linking files between folders (below 2 that is always denied)          |
| 3   | 6.2   | truncating (below 3 `truncate` is not seen, wherever the file's owner allows it)  |
| 4   | 6.7   | TCP bind and connect                                                             |
| 5   | 6.10  | ioctl on device files                                                            |
| 6   | 6.12  | signals to, and abstract Unix sockets of, processes outside                      |

What Landlock does not see, whatever the ABI: `stat` and `readlink` (a path's existence and size can be learned),
UDP, Unix sockets with a path, and descriptors that were open before (they keep their rights).

A ruleset binds the calling thread and the threads it starts *later*. So it has to be applied while the process has
one thread only: before a library is imported that starts a pool of them.

The rule for a file or folder sits on the file itself, not on its name: a file replaced by another of the same name is
not covered, and a descriptor serves as well as a path.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISDIR

from ledger.errors import Misconfigured

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # one number on every architecture but alpha
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILESYSTEM_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # ABI -> how many rights it knows, from bit 0
_NET_TCP = 0b11
_SCOPE_ABSTRACT_UNIX_AND_SIGNAL = 0b11


class LandlockError(Misconfigured):
    """The kernel has no Landlock, or refused a step; the process is not (or not wholly) restricted: it must stop."""


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def abi_version() -> int:
    """The Landlock ABI of the running kernel; 0 where there is none (another system, an old kernel, switched off)."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, _system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)))


def restrict_to_reading(paths: Iterable[str | Path], descriptors: Iterable[int] = ()) -> int:
    """Deny this thread everything but reading what stands at or below `paths` and `descriptors`; returns the ABI.

    Sets "no new privileges" first, as the kernel demands. Raises `LandlockError` when any step fails; then some of the
    rights may still be there, and the caller has to end the process.
    """
    abi = abi_version()
    if abi < 1:
        raise LandlockError("landlock: this kernel has none (needs Linux 5.13 or later with Landlock switched on)")
    attributes = _RulesetAttributes(
        handled_access_fs=(1 << _FILESYSTEM_RIGHTS[min(abi, max(_FILESYSTEM_RIGHTS))]) - 1,
        handled_access_net=_NET_TCP if abi >= 4 else 0,
        scoped=_SCOPE_ABSTRACT_UNIX_AND_SIGNAL if abi >= 6 else 0,
    )
    # Older kernels take a longer structure as long as what they don't know is zero.
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = _checked("create the ruleset", _CREATE_RULESET, ctypes.byref(attributes), size, ctypes.c_uint32(0))
    try:
        for path in paths:
            _allow_path(ruleset, path)
        for descriptor in descriptors:
            _allow_reading(ruleset, descriptor, f"descriptor {descriptor}")
        _no_new_privileges()
        _checked("restrict the process", _RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return abi


def _allow_path(ruleset: int, path: str | Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise LandlockError(f"landlock: cannot allow {path}: {error.strerror}") from error
    try:
        _allow_reading(ruleset, descriptor, str(path))
    finally:
        os.close(descriptor)


def _allow_reading(ruleset: int, descriptor: int, name: str) -> None:
    # A rule on a file may only name rights that a file can have; the kernel refuses it otherwise.
    rights = _READ_FILE | _READ_DIR if S_ISDIR(os.fstat(descriptor).st_mode) else _READ_FILE
    rule = _PathBeneath(allowed_access=rights, parent_fd=descriptor)
    _checked(
        f"allow {name}",
        _ADD_RULE,
        ctypes.c_int(ruleset),
        ctypes.c_int(_RULE_PATH_BENEATH),
        ctypes.byref(rule),
        ctypes.c_uint32(0),
    )


def _no_new_privileges() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if library.prctl(ctypes.c_int(_PR_SET_NO_NEW_PRIVS), one, zero, zero, zero) != 0:
        raise LandlockError(f"landlock: cannot give up new privileges: {os.strerror(ctypes.get_errno())}")


def _system_call(number: int, *arguments: object) -> int:
    """Its answer, or minus the error number."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    answer = int(library.syscall(ctypes.c_long(number), *arguments))
    return answer if answer >= 0 else -ctypes.get_errno()


def _checked(step: str, number: int, *arguments: object) -> int:
    answer = _system_call(number, *arguments)
    if answer < 0:
        raise LandlockError(f"landlock: cannot {step}: {os.strerror(-answer)}")
    return answer
