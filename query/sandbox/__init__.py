"""The sealed box in which an auditor's SQL runs: `run_sql`.

DuckDB has no boundary of privilege inside, and the query's text is a stranger's. So the query runs in a process of
its own that is made for it, holds one tenant's rows and nothing else, and is killed afterwards. Its walls, each of
which has to hold alone:

1. **What it is given.** The rows of one tenant: files of that tenant only, handed over as open descriptors, or Arrow
   data that the parent filtered. No environment, no descriptor besides. (DuckDB resolves a descriptor to the file's
   path and shows it in `current_setting('allowed_paths')`: a query can learn what its own files are called.)
   A file that several tenants share must never be given as a file, since `read_parquet` on it goes past every view:
   filter it and give it as Arrow data.
2. **The kernel.** Resource limits (nothing can be written to any file, memory and processor time end), no new
   privileges, no capabilities; and Landlock: nothing can be opened but the interpreter's own folders and the given
   files, and those for reading only. All of it *before* DuckDB is loaded, whose threads would otherwise keep the
   rights they were born with.
3. **The engine.** External access off, extensions off, no path allowed but the given files, configuration locked.
4. **The parent.** One clock, one kill; a bound on what it reads from the child; values arrive as JSON, never as
   anything that is executed or mapped into memory.

That only a SELECT may be asked is checked too, but as a courtesy: it makes a clear message, and is no wall.

Where the kernel has no Landlock, files are refused (see `files_allowed`) and only Arrow data is taken; then, as in
every query without files, no descriptor can be had any more once the tables are made, so nothing can be opened or
connected to; making, renaming and deleting names is then held by the engine's wall alone. The result says which of
the two it was.

What no wall holds: with Landlock, native code that somebody planted through a bug of the engine could still send UDP,
reach Unix sockets that have a path, and start threads.

The child's code (`child`, `lockdown`, `landlock`, `engine`, `values`) shares this package with the parent's (`run`,
`process`, `model`, `handover`): nothing that the child imports before its lockdown may import DuckDB or pyarrow, and
the child refuses to go on if it finds them loaded.

| module                      | owns                                                              |
| --------------------------- | ----------------------------------------------------------------- |
| `run`, `model`              | `run_sql` and its bounds; what goes in and comes out, as values   |
| `process`, `handover`       | the child as its parent sees it; the descriptors it is given      |
| `child`, `lockdown`         | the child's life; how it gives up its rights                      |
| `landlock`                  | the kernel's rule that it may read what was named, nothing else   |
| `engine`, `values`, `scrub` | DuckDB with its doors shut; its values and messages, fit to leave |
| `wire`                      | one job in, frames out: JSON                                      |
"""

from query.sandbox.model import SqlLimits, SqlResult, SqlTable
from query.sandbox.run import files_allowed, run_sql

__all__ = ["SqlLimits", "SqlResult", "SqlTable", "files_allowed", "run_sql"]
