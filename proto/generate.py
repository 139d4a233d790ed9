"""Generates `ledger/v1/` from `proto/ledger/v1/`; with `--check`, exits 1 when the committed files differ.

python proto/generate.py          write
python proto/generate.py --check  compare, change nothing
"""

from __future__ import annotations

import filecmp
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = sorted((ROOT / "proto" / "ledger" / "v1").glob("*.proto"))


def generate(into: Path) -> None:
    """Runs protoc for every proto file, with type stubs, into `into`."""
    import grpc_tools

    includes = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [
        f"-I{ROOT / 'proto'}",
        f"-I{includes}",
        f"--python_out={into}",
        f"--pyi_out={into}",
        f"--grpc_python_out={into}",
    ]
    if protoc.main(["protoc", *arguments, *(str(path) for path in PROTOS)]) != 0:
        raise SystemExit("protoc failed; its message stands above")


def main() -> int:
    """Writes or compares; returns the exit code."""
    committed = ROOT / "ledger" / "v1"
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = Path(folder) / "ledger" / "v1"
        names = sorted(path.name for path in fresh.iterdir())
        if "--check" in sys.argv[1:]:
            _, differing, missing = filecmp.cmpfiles(fresh, committed, names, shallow=False)
            for name in differing + missing:
                print(f"ledger/v1/{name} is not what proto/ generates; run: python proto/generate.py")
            return 1 if differing or missing else 0
        for name in names:
            shutil.copyfile(fresh / name, committed / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
