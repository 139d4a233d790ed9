"""Messages of the engine, fit for a stranger's eyes: no path of this host that he did not write himself."""

from __future__ import annotations

import re

# Quoted, a path is all that stands between the quotes. Bare, it begins where no word, number or closing bracket stands
# before its slash (else it is a division), and has at least two parts.
_PATH = re.compile(r"""(?<=["'])/[^"'\n]+|(?<![\w)\]/.])(?:/[\w.@+~=,:-]+){2,}/?""")


def scrub(message: str, query: str) -> str:
    """`message` with every absolute path replaced that `query` itself does not contain."""
    return _PATH.sub(lambda found: found[0] if found[0] in query else "<path>", message)
