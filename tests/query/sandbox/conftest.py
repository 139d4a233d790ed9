"""Two tenants' files, and a box over one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from query.sandbox import SqlLimits, SqlResult, SqlTable, files_allowed
from query.sandbox.run import run_job

SECRET = "belongs-to-another-tenant"
ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the attacks take place: what the tenant may read, and what must stay as it is."""

    folder: Path
    own: Path
    other: Path
    text: Path

    def digests(self) -> dict[str, str]:
        """SHA-256 of every file in the folder, by name: nothing changed, nothing is missing, nothing was added."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in sorted(self.folder.rglob("*"))
        }

    def data(self) -> pa.Table:
        """The tenant's rows as Arrow data."""
        return pq.read_table(self.own)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """One tenant's segment, another's, and a text file, each with something to steal or to spoil."""
    folder = tmp_path_factory.mktemp("ground")
    ground = Ground(folder, folder / "own.parquet", folder / "other.parquet", folder / "secret.txt")
    rows = pa.table({"n": range(ROWS), "word": [f"word {n % 7}" for n in range(ROWS)]})
    pq.write_table(rows, ground.own)
    pq.write_table(pa.table({"n": [1], "word": [SECRET]}), ground.other)
    ground.text.write_text(SECRET)
    return ground


Ask = Callable[..., SqlResult]


@pytest.fixture(params=["files", "arrow"])
def ask(request: pytest.FixtureRequest, ground: Ground) -> Ask:
    """Ask the box about table `events`: as files under Landlock, and as Arrow data with Landlock simulated missing."""
    by_file = request.param == "files"
    if by_file and not files_allowed():
        pytest.skip("this kernel has no Landlock: files are refused, tried in test_run")

    def ask(query: str, *, select_only: bool = True, setup: tuple[str, ...] = (), **limits: float) -> SqlResult:
        table = SqlTable("events", files=(ground.own,)) if by_file else SqlTable("events", data=ground.data())
        return run_job(
            query=query,
            tables=[table],
            setup=setup,
            limits=SqlLimits(**{"time_s": 20, **limits}),  # type: ignore[arg-type]
            landlock=by_file,
            select_only=select_only,
        )

    return ask
