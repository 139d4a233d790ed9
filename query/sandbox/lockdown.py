"""The child gives up its rights, in an order that leaves no gap. Nothing here imports more than the standard library.

1. It dies with its parent (`PR_SET_PDEATHSIG`), and at once if the parent is gone already.
2. Limits that can only shrink: no core file, files of 0 bytes (so that nothing at all can be written to a file,
   wherever it is, though pipes still work), few descriptors, processor time, address space.
3. Descriptors that it was not meant to have are closed.
4. The first to be killed when the machine runs out of memory.
5. Capabilities dropped (root has them all) but the one to read: an administrator's query over another user's
   ledger must work, and Landlock decides what is read.
6. Landlock, with no new privileges.

The number of *processes* is not limited: that count belongs to the user, not to this process, so that what else the
user runs would decide whether the engine can start its threads (an Arrow scan whose threads are refused hangs for
ever). Landlock allows no program to be started.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

from ledger.errors import Misconfigured
from query.sandbox.landlock import restrict_to_reading
from query.sandbox.wire import Job

STARTUP_CPU_S = 60
DESCRIPTORS_SPARE = 64
# Room for the interpreter, the libraries and their threads' stacks until the engine runs; then `tighten`.
_STARTUP_ADDRESS_BYTES = 8 << 30
# What the engine's own limit does not count: threads' stacks and heaps, a batch on its way out, long strings.
_UNCOUNTED_BYTES = 512 << 20
_PR_SET_PDEATHSIG = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


def lock_down(job: Job, keep: tuple[int, ...]) -> int:
    """Give up everything the job does not need; returns the Landlock ABI in force, 0 if the job wants none.

    Raises `Misconfigured` (or OSError, ValueError from a limit) when a step fails: the process must end then.
    """
    loaded = {"duckdb", "_duckdb", "pyarrow", "numpy"} & set(sys.modules)
    if loaded:
        raise Misconfigured(f"loaded before the lockdown: {', '.join(sorted(loaded))}")
    if sys.platform.startswith("linux"):
        _die_with(job.parent_pid)
    _limit_resources(job)
    _close_all_but({0, 1, 2, *keep, *job.descriptors})
    if sys.platform.startswith("linux"):
        _be_killed_first()
        _drop_capabilities()
    if not job.landlock:
        return 0
    # Rules bind to inodes, and the kernel may forget and remake those of /proc: an open descriptor pins ours.
    os.open("/proc/self", os.O_PATH | os.O_CLOEXEC)
    return restrict_to_reading(job.readable, job.files)


def tighten(job: Job) -> None:
    """Once the tables are made: the address space ends a little above what is in use now plus the engine's own limit;
    and where no table is a file, not one descriptor can be had any more, so nothing can be opened or connected to."""
    if sys.platform.startswith("linux"):
        with open("/proc/self/statm", encoding="ascii") as file:
            in_use = int(file.read().split()[0]) * resource.getpagesize()
        _shrink(resource.RLIMIT_AS, in_use + job.memory_bytes + job.memory_bytes // 4 + _UNCOUNTED_BYTES)
    if not job.files:
        _shrink(resource.RLIMIT_NOFILE, 0)


def _limit_resources(job: Job) -> None:
    _shrink(resource.RLIMIT_CORE, 0)
    _shrink(resource.RLIMIT_FSIZE, 0)
    _shrink(resource.RLIMIT_NOFILE, max((0, *job.descriptors)) + len(job.descriptors) + DESCRIPTORS_SPARE)
    _shrink(resource.RLIMIT_CPU, int(job.time_s * (job.threads + 1)) + STARTUP_CPU_S)
    if sys.platform.startswith("linux"):
        arrow_bytes = sum(os.fstat(table.arrow).st_size for table in job.tables if table.arrow is not None)
        _shrink(resource.RLIMIT_AS, 2 * job.memory_bytes + arrow_bytes + _STARTUP_ADDRESS_BYTES)


def _shrink(which: int, value: int) -> None:
    """Soft and hard limit to `value`, or to the hard limit in force if that is lower."""
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _close_all_but(keep: set[int]) -> None:
    """The parent closes what it does not hand over; this holds even if one day it is started otherwise."""
    folder = "/proc/self/fd" if sys.platform.startswith("linux") else "/dev/fd"
    for name in os.listdir(folder):
        if int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:  # the listing's own descriptor is among the names and already closed
                continue


def _die_with(parent_pid: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL)) != 0:
        raise Misconfigured(f"cannot ask to die with the parent: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent_pid:
        raise Misconfigured("the parent is gone")


def _be_killed_first() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:  # a courtesy to the rest of the machine, refused in some containers; no wall stands on it
        return


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _drop_capabilities() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    sets = (_CapabilitySet * 2)()
    if library.capget(ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION_3, 0)), sets) != 0:
        raise Misconfigured(f"cannot read capabilities: {os.strerror(ctypes.get_errno())}")
    keep = sets[0].permitted & (1 << _CAP_DAC_READ_SEARCH)
    sets = (_CapabilitySet * 2)(_CapabilitySet(keep, keep, 0), _CapabilitySet(0, 0, 0))
    if library.capset(ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION_3, 0)), sets) != 0:
        raise Misconfigured(f"cannot drop capabilities: {os.strerror(ctypes.get_errno())}")
