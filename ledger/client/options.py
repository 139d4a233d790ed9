"""Every option of a client: name, unit, default, bounds. Read once, at construction; what is wrong is `Misconfigured`.

`Settings` names the same options for type checkers, so that `Client(...)` and `AsyncClient(...)` take them by keyword.
Without `credentials` the connection is in clear, which only a loopback address or a Unix socket gets without the word
`insecure=True`.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypedDict

import grpc

from ledger.client.items import Limits, Rejection
from ledger.errors import Misconfigured
from ledger.v1.event_pb2 import CapturePath

KIB, MIB, GIB = 1024, 1024**2, 1024**3
MESSAGE_BYTES_MAX = 16 * MIB
"""Of one gRPC message, either way; the gateway's default."""
MESSAGE_RESERVE_BYTES = 64 * KIB
"""Of those, kept free for what stands around the events."""


class Settings(TypedDict, total=False):
    """The options of `Options` but `to` and `tenant`; see there."""

    service: str
    version: str
    environment: str
    instance: str
    capture_path: CapturePath
    credentials: grpc.ChannelCredentials | None
    insecure: bool
    token: str | Callable[[], str] | None
    batch_events_max: int
    batch_bytes_max: int
    linger_ms: int
    queue_events_max: int
    queue_bytes_max: int
    event_bytes_max: int
    drop: Literal["newest", "oldest"]
    rpc_timeout_ms: int
    deadline_s: float
    backoff_first_ms: int
    backoff_longest_ms: int
    spool_dir: str | os.PathLike[str] | None
    spool_bytes_max: int
    spool_segment_bytes: int
    spool_fsync: bool
    spool_after_ms: int
    receipts_path: str | os.PathLike[str] | None
    on_receipt: Callable[[bytes], None] | None
    on_rejected: Callable[[Rejection], None] | None
    exit_idle_s: float
    exit_timeout_s: float
    log_interval_s: float
    strict: bool
    numbered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a client was told.

    Who emits:
      to, tenant            address HOST:PORT of the gateway; the tenant of every event
      service, version, environment, instance
                            as `Producer` has them; instance defaults to the host's name
      capture_path          default: stub
    The connection:
      credentials           TLS; None: in clear, see the module
      token                 bearer token of each call, or a function that gives it
      rpc_timeout_ms        of one call; longer than a broker's failover, or its outcome is needlessly unknown
    Batches:
      batch_events_max, batch_bytes_max, linger_ms
                            a batch goes when it has so many events, so many bytes, or its first waited so long
    Memory:
      queue_events_max, queue_bytes_max
                            what may wait or be in flight
      event_bytes_max       a larger event is dropped; keep it at or below what the gateway takes
      drop                  over the bounds: "newest" drops the event that enters, "oldest" those that wait longest
    Retries:
      deadline_s            an event that was not answered for so long is dropped (one in the spool is not)
      backoff_first_ms, backoff_longest_ms
                            pauses between tries, doubling
    Spool (off while spool_dir is None; POSIX only):
      spool_bytes_max       on disk, of this client and what it took over from those before it
      spool_segment_bytes   a file of the spool is closed at this size
      spool_fsync           True: a frame is on the disk before its events leave memory. False: it is in the kernel's
                            hands, and survives the death of the process, not of the machine
      spool_after_ms        the gateway must have been away for so long before batches go to disk
    Answers:
      receipts_path         file that every receipt is appended to, for `audit-ledger verify --receipts`
      on_receipt, on_rejected
                            called from the client's threads; what they raise is logged
    The rest:
      exit_idle_s           interpreter shutdown waits for the last events while some are answered (or stored in the
                            spool); it gives up when none was for so long
      exit_timeout_s        and never waits longer than this, however it goes; of all clients together
      log_interval_s        one line of each kind in so long
      strict                emit raises (TypeError, Unavailable) where it would count; for tests
      numbered              False: events carry neither instance nor boot id nor number, so that one that several
                            processes make alike is one for the ledger. Nothing declares then what was dropped; the
                            counters tell
    """

    to: str
    tenant: str
    service: str = ""
    version: str = ""
    environment: str = ""
    instance: str = field(default_factory=socket.gethostname)
    capture_path: CapturePath = CapturePath.CAPTURE_PATH_STUB
    credentials: grpc.ChannelCredentials | None = field(default=None, repr=False)
    insecure: bool = False
    token: str | Callable[[], str] | None = field(default=None, repr=False)
    batch_events_max: int = 500
    batch_bytes_max: int = 1 * MIB
    linger_ms: int = 5
    queue_events_max: int = 100_000
    queue_bytes_max: int = 64 * MIB
    event_bytes_max: int = 8 * MIB
    drop: Literal["newest", "oldest"] = "newest"
    rpc_timeout_ms: int = 15_000
    deadline_s: float = 300.0
    backoff_first_ms: int = 100
    backoff_longest_ms: int = 10_000
    spool_dir: str | os.PathLike[str] | None = None
    spool_bytes_max: int = 1 * GIB
    spool_segment_bytes: int = 8 * MIB
    spool_fsync: bool = True
    spool_after_ms: int = 1_000
    receipts_path: str | os.PathLike[str] | None = None
    on_receipt: Callable[[bytes], None] | None = field(default=None, repr=False)
    on_rejected: Callable[[Rejection], None] | None = field(default=None, repr=False)
    exit_idle_s: float = 2.0
    exit_timeout_s: float = 10.0
    log_interval_s: float = 60.0
    strict: bool = False
    numbered: bool = True

    def __post_init__(self) -> None:
        """Refuses what can't work, naming the option."""
        if not self.to or not self.tenant:
            raise Misconfigured("to and tenant: expected the gateway's address and a tenant's name")
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            if not least <= value <= most:
                raise Misconfigured(f"{name}: expected {least:g} to {most:g}, got {value}")
        if self.drop not in ("newest", "oldest"):
            raise Misconfigured(f'drop: expected "newest" or "oldest", got {self.drop!r}')
        if self.backoff_first_ms > self.backoff_longest_ms:
            raise Misconfigured("backoff_first_ms: expected at most backoff_longest_ms")
        if self.credentials is None and not self.insecure and not is_local(self.to):
            raise Misconfigured(
                "credentials: expected TLS credentials for an address that is not this machine's own; "
                "insecure=True sends everything in clear"
            )
        if self.credentials is not None and self.insecure:
            raise Misconfigured("insecure: expected False where credentials are given")
        if self.spool_dir is not None and os.name != "posix":
            raise Misconfigured("spool_dir: needs POSIX file locks, which this system does not have")

    @property
    def limits(self) -> Limits:
        """The bounds of the queue."""
        return Limits(
            batch_events_max=self.batch_events_max,
            batch_bytes_max=self.batch_bytes_max,
            linger_s=self.linger_ms / 1_000,
            queue_events_max=self.queue_events_max,
            queue_bytes_max=self.queue_bytes_max,
            event_bytes_max=self.event_bytes_max,
            deadline_s=self.deadline_s,
            drop_oldest=self.drop == "oldest",
        )


_YEAR_S = 366 * 86_400
_BATCH_BYTES_MOST = MESSAGE_BYTES_MAX - 2 * MESSAGE_RESERVE_BYTES - 10_000 * 16

_BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("batch_events_max", 1, 10_000),
    ("batch_bytes_max", KIB, _BATCH_BYTES_MOST),
    ("linger_ms", 0, 60_000),
    ("queue_events_max", 1, 100_000_000),
    ("queue_bytes_max", KIB, 1024 * GIB),
    ("event_bytes_max", KIB, _BATCH_BYTES_MOST),
    ("rpc_timeout_ms", 10, 600_000),
    ("deadline_s", 0.01, _YEAR_S),
    ("backoff_first_ms", 1, 600_000),
    ("backoff_longest_ms", 1, 600_000),
    ("spool_bytes_max", KIB, 1024 * GIB),
    ("spool_segment_bytes", KIB, 256 * MIB),
    ("spool_after_ms", 0, 600_000),
    ("exit_idle_s", 0, 600),
    ("exit_timeout_s", 0, 600),
    ("log_interval_s", 0, _YEAR_S),
)


def is_local(target: str) -> bool:
    """Whether a gRPC target is a loopback address or a Unix socket. What can't be told is not."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    for scheme in ("ipv4:", "ipv6:", "dns:///", "dns:"):
        target = target.removeprefix(scheme)
    if "," in target or "/" in target:
        return False
    host, colon, port = target.rpartition(":")
    if not colon or not port.isdigit():
        host = target
    host = host.removeprefix("[").removesuffix("]")
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
