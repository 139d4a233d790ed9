"""What a reader wrote, his SQL and his reason, as his Access keeps it: without the persons that the tenant knows.

An Access keeps its texts to the letter and outlives the persons they may name, so no identifier of a person stays in
them: each is replaced by her pseudonym, which leads to nobody once she is erased. Looked up are

- every quoted text, however SQL quotes it ('a', "a", $$a$$, $x$a$x$), whole and without the % of a LIKE at its ends;
- every word outside and inside of quotes, comments included, with and without the punctuation around it, of
  `WORD_CHARS_MIN` characters or more, each once.

So an identifier of several words is found as a whole quoted text only. E-mail addresses are taken out even where no
such person is known. The text is a stranger's: every pattern here takes time in proportion to its length.
"""

from __future__ import annotations

import re

from ledger.keys.provider import ScopeKeys

WORD_CHARS_MIN = 3

_QUOTED = re.compile(r"""'((?:[^']|'')*+)'|"((?:[^"]|"")*+)"|\$(\w*+)\$([^$]*+)\$\3\$""")
_TOKEN = re.compile(r"""(?:[^\s'"$(),;=<>|%*\[\]{}]|(?<=\w)'(?=\w))+""")
_WORD = re.compile(r"\w+")
_PUNCTUATION = "-.,:;!?/\\"
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")


def without_persons(text: str, keys: ScopeKeys, tenant: str) -> str:
    """`text` without them. Blocks: it looks into the key store once for each different word."""
    known = _Known(keys, tenant)
    text = _QUOTED.sub(lambda found: _quoted(found, known), text)
    text = _TOKEN.sub(lambda found: _token(found[0], known), text)
    text = _WORD.sub(lambda found: known.pseudonym(found[0]) or found[0], text)
    return _ADDRESS.sub("[address]", text)


class _Known:
    """Pseudonyms, each looked up once."""

    def __init__(self, keys: ScopeKeys, tenant: str) -> None:
        self._keys = keys
        self._tenant = tenant
        self._found: dict[str, str | None] = {}

    def pseudonym(self, identifier: str, chars_min: int = WORD_CHARS_MIN) -> str | None:
        """What stands for this person; None where there is none of this name."""
        identifier = identifier.strip()
        if len(identifier) < chars_min:
            return None
        if identifier not in self._found:
            found = self._keys.pseudonym(self._tenant, identifier)
            self._found[identifier] = None if found is None else f"pseudonym:{found.hex()}"
        return self._found[identifier]


def _quoted(found: re.Match[str], known: _Known) -> str:
    single, double, _, dollars = found.groups()
    if single is not None:
        said = single.replace("''", "'")
    elif double is not None:
        said = double.replace('""', '"')
    else:
        said = dollars
    for spelled in (said, said.strip("%")):
        pseudonym = known.pseudonym(spelled, chars_min=1)
        if pseudonym is not None:
            return f"'{pseudonym}'"
    return found[0]


def _token(token: str, known: _Known) -> str:
    bare = token.strip(_PUNCTUATION)
    for spelled in (token, bare):
        pseudonym = known.pseudonym(spelled)
        if pseudonym is not None:
            return token.replace(spelled, pseudonym, 1)
    return token
