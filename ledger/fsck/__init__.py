"""Which objects of a ledger belong to it, and which were left over.

fsck reports, `verify` proves, nothing repairs in silence.

`fsck` looks at names, and reads only what tells whether an object is named: rounds, placements. It never changes
anything.

| kind            | what it is                                                                                   |
| --------------- | -------------------------------------------------------------------------------------------- |
| hole            | a round, or an object that one names and that is needed, is not there                         |
| damaged         | a round or placement that cannot be read: run `verify`                                        |
| unknown         | an object with a name that nothing here gives                                                 |
| orphan          | written for a round, or as a placement, that was published without it; removable              |
| pending         | written for a round that is not published, or for a placement not yet proposed                |
| leftover        | a temporary file of a write that was cut off; removable once it is old                        |
| proposal        | a placement that waits for a round, or never will be in one                                   |
| superseded      | files whose rows all stand in a current placement: sound, and no longer needed                |
| derived-damaged | a derived file that contradicts the rounds or itself; it is made anew when it is needed       |
| derived-stale   | a derived file that covers less than there is                                                 |

`clean` removes what is `removable` in such lines, on demand. An orphan is removable only because its round's number was
published by somebody else, so nobody will ever name it.

What other packages derive, they check: `fsck` takes their checks as callables.

| module             | owns                                         |
| ------------------ | -------------------------------------------- |
| `run`, `partition` | the whole look, and the broom; one partition |
| `object_names`     | which kind of object a name is               |
| `derived`          | tiles against the rounds                     |
| `lines`            | what is said about one object                |
"""

from ledger.fsck.lines import PROBLEMS, FsckLine, LineKind
from ledger.fsck.run import DerivedCheck, clean, fsck

__all__ = ["PROBLEMS", "DerivedCheck", "FsckLine", "LineKind", "clean", "fsck"]
