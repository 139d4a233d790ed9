"""The file of receipts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.client.receipts import ReceiptFile


def read(path: Path) -> list[bytes]:
    data, found = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "big")
        found.append(data[8 : 8 + length])
        assert len(found[-1]) == length
        data = data[8 + length :]
    return found


def test_receipts_stand_back_to_back_behind_their_lengths(tmp_path: Path) -> None:
    """The file is u64 length, receipt, and so on, and goes on where another process left it."""
    ReceiptFile(tmp_path / "r").append([b"one", b""])
    ReceiptFile(tmp_path / "r").append([b"three"])
    assert read(tmp_path / "r") == [b"one", b"", b"three"]


@pytest.mark.parametrize("torn", [b"\0", b"\0" * 7, b"\0\0\0\0\0\0\0\x09eight.."])
def test_an_incomplete_end_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    """What a crash left incomplete does not hide the receipts after it."""
    path = tmp_path / "r"
    ReceiptFile(path).append([b"one"])
    with path.open("ab") as file:
        file.write(torn)
    ReceiptFile(path).append([b"two"])
    assert read(path) == [b"one", b"two"]


def test_a_file_put_in_its_place_is_read_anew(tmp_path: Path) -> None:
    """After a rotation nothing of another file is taken for an incomplete end."""
    path = tmp_path / "r"
    receipts = ReceiptFile(path)
    receipts.append([b"a" * 10])
    path.rename(tmp_path / "old")
    ReceiptFile(path).append([b"b" * 3, b"c" * 40])
    receipts.append([b"d"])
    assert read(path) == [b"b" * 3, b"c" * 40, b"d"]


def test_processes_append_to_one_file_without_mixing(tmp_path: Path) -> None:
    """Receipts of several processes stay whole."""
    program = (
        "import sys; from pathlib import Path; from ledger.client.receipts import ReceiptFile\n"
        "file = ReceiptFile(Path(sys.argv[1]))\n"
        "for i in range(200): file.append([sys.argv[2].encode() * (i % 50), b'x'])\n"
    )
    path = tmp_path / "r"
    runs = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "ab"]
    assert [run.wait(60) for run in runs] == [0, 0]
    found = read(path)
    assert len(found) == 800
    assert all(len(set(each)) <= 1 for each in found)
