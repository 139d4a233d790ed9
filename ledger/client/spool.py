"""The spool on disk: what could not be sent, sealed to the gateway's key, in order.

Frames of clients that are gone (a crash, a restart, a close while the gateway was away) come first, oldest folder
first, then this client's own; inside a folder in the order they were written. A frame leaves when its events are
answered. One thread uses a spool; sizes may be read by others.

Only what the ledger promises about a tenant's own events rests on these files, so they carry no signature: who can
write here can also emit. Nothing in them can be read without the gateway's private key, which is destroyed after its
time; a frame older than that is lost, and declared.
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ledger.client.options import Options
from ledger.client.spool_folder import Folder, make_folder, remove_draft, take_over
from ledger.client.spool_frame import Frame, Row, Segment, frame_bytes, read_segment
from ledger.client.spool_key import SEALING_BYTES, SpoolKey

READ_TRIES = 3
"""Then a segment that can't be read is set aside."""
_FOLDER = re.compile(r"[0-9a-f]{16}-[0-9a-f]{12}-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Damage:
    """Frames of one boot that no longer check. `events` counts those of frames whose header is whole.

    A segment that is gone or can't be read counts as one frame, of nobody knows how many events.
    """

    boot_id: bytes
    frames: int
    events: int


class Spool:
    """The spool of one client: its own folder, made with the first frame, and those it took over."""

    def __init__(
        self, root: Path, tenant: str, boot_id: bytes, start_ms: int, *, bytes_max: int, segment_bytes: int, fsync: bool
    ) -> None:
        self.root = root
        self._tenant_digest = sha256(tenant.encode("utf-8")).hexdigest()[:16]
        self._name = f"{self._tenant_digest}-{start_ms:012x}-{boot_id.hex()}"
        self._boot_id = boot_id
        self._bytes_max = bytes_max
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._own: Folder | None = None
        self._taken: deque[Folder] = deque()
        self._reading: tuple[Folder, int] | None = None
        self._frames: deque[Frame] = deque()
        self._damages: list[Damage] = []
        self._looked = False
        self._read_failures = 0

    def prepare(self) -> None:
        """Makes the spool's folder where it is missing. Raises OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def left_over(self) -> bool:
        """Whether folders of other clients of this tenant are there, alive or not, as far as one can see."""
        try:
            return any(self.root.glob(f"{self._tenant_digest}-*"))
        except OSError:
            return False

    def open(self) -> None:
        """Takes over what clients of the same tenant left. May be called again. Raises OSError."""
        known = {folder.path.name for folder in self._taken} | {self._name}
        failed: OSError | None = None
        try:
            self.prepare()
            for path in sorted(self.root.glob(f"*{self._tenant_digest}-*")):
                name = path.name.removeprefix(".")
                if name not in known and _FOLDER.fullmatch(name):
                    failed = self._take(path) or failed
        finally:
            # Not before: whoever waits for `empty` on another thread would find nothing and leave.
            self._looked = True
        if failed is not None:
            raise failed

    def _take(self, path: Path) -> OSError | None:
        """Takes a folder over if it can be had. One that fails keeps none of the others back."""
        try:
            if path.name.startswith("."):
                remove_draft(path)
            elif (folder := take_over(path, self._segment_bytes, self._fsync)) is not None:
                self._taken.append(folder)
        except FileNotFoundError:
            # Its owner was quicker.
            return None
        except OSError as error:
            return error
        return None

    @property
    def size_bytes(self) -> int:
        """On disk, all folders."""
        return sum(folder.size_bytes for folder in self._folders())

    @property
    def empty(self) -> bool:
        """Whether nothing is left to send, as far as `open` looked; False before it did."""
        return self._looked and all(folder.empty for folder in self._folders())

    def append(self, key: SpoolKey, rows: tuple[Row, ...], request: bytes) -> bool:
        """Seals a serialized request and adds its frame; False when there is no room for it. Raises OSError."""
        if self.size_bytes + frame_bytes(len(rows), len(request) + SEALING_BYTES) > self._bytes_max:
            return False
        frame = Frame(key.key_id, self._boot_id, rows, key.seal(request))
        if self._own is None:
            self._own = make_folder(self.root, self._name, self._segment_bytes, self._fsync)
        self._own.append(frame.encode())
        return True

    def head(self) -> Frame | None:
        """The frame to send next; the same until `done`. Raises OSError."""
        while not self._frames:
            self._finish_segment()
            if not self._next_segment():
                return None
        return self._frames[0]

    def done(self) -> None:
        """The head's events are answered, or lost for good. Raises OSError when a file can't be removed."""
        self._frames.popleft()
        if not self._frames:
            self._finish_segment()

    def take_damages(self) -> list[Damage]:
        """What was found damaged since the last call."""
        damages, self._damages = self._damages, []
        return damages

    def close(self) -> None:
        """Gives up the folders; what is in them is for the next client. Raises OSError, when all are given up."""
        folders, self._own = self._folders(), None
        self._taken.clear()
        failed: OSError | None = None
        for folder in folders:
            try:
                folder.release()
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def forsake(self) -> None:
        """In a forked child: the spool is the parent's."""
        for folder in self._folders():
            folder.forsake()

    def _folders(self) -> tuple[Folder, ...]:
        own = self._own
        return (*self._taken, own) if own is not None else tuple(self._taken)

    def _next_segment(self) -> bool:
        """Reads the next segment that is there; empty taken-over folders are removed on the way."""
        while self._taken and self._taken[0].empty:
            self._taken.popleft().release()
        for folder in self._folders():
            number = folder.oldest()
            if number is not None:
                found = self._read(folder, number)
                boot_id = bytes.fromhex(folder.path.name.rpartition("-")[2])
                if found is None:
                    self._damages.append(Damage(boot_id, 1, 0))
                    return True
                self._reading = (folder, number)
                self._frames.extend(found.frames)
                if found.damaged_frames:
                    self._damages.append(Damage(boot_id, found.damaged_frames, found.damaged_events))
                return True
        return False

    def _read(self, folder: Folder, number: int) -> Segment | None:
        """What stands in a segment; None when it was set aside. Raises OSError while it is worth trying again."""
        try:
            data = folder.read(number)
        except OSError as error:
            self._read_failures += 1
            if not isinstance(error, FileNotFoundError) and self._read_failures < READ_TRIES:
                raise
            self._read_failures = 0
            folder.set_aside(number)
            return None
        self._read_failures = 0
        return read_segment(data)

    def _finish_segment(self) -> None:
        if self._reading is not None:
            (folder, number), self._reading = self._reading, None
            folder.remove(number)


def spool_of(options: Options, boot_id: bytes) -> Spool | None:
    """The spool a client was told to keep.

    That its folder can't be made now stops no service from starting: the lane says so, and tries again.
    """
    if options.spool_dir is None:
        return None
    return Spool(
        Path(options.spool_dir),
        options.tenant,
        boot_id,
        time.time_ns() // 1_000_000,
        bytes_max=options.spool_bytes_max,
        segment_bytes=options.spool_segment_bytes,
        fsync=options.spool_fsync,
    )
