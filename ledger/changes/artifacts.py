"""The artifacts of a commit: each with its id, its revision and its digest, out of bytes as git stores them.

- Of a *whole file* the artifact is its bytes. Its digest is their SHA-256: for a prompt template what `template_sha256`
  of a request is, where the service takes the template from the file as it is.
- Of a *value in a file* it is the value's text, in UTF-8. A value that is a table or list is that in JSON, keys
  sorted, without spaces.
- Of a *model* it is the pin, `vendor/model`, whether the file writes it so, as `model` beside a declared vendor, or as
  a table with `vendor` and `model`. Its id is the pin, its revision the model's name: so requests name it.

The *revision* of everything else is the first 12 hex digits of the digest. Two commits with the same text have the same
revision: what was approved on a branch is approved when it is merged, rebased or brought back, and a service knows the
revision of its template without knowing a commit. Which commit brought it in stands beside it in every Change.

Not taken are symbolic links (what they point at may be outside), submodules, Git LFS pointers (the content is not in
the repository), paths that are no UTF-8 or can't be a name: a pattern that matches one is refused, with the path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ledger.changes.document import Declaration, Source
from ledger.changes.patterns import id_of, matches
from ledger.changes.pins import Pin, judge_pin
from ledger.changes.structured import read_document, values_at
from ledger.errors import Rejected
from ledger.record.names import required

REVISION_DIGITS = 12
ARTIFACT_BYTES_MAX = 4 * 1024 * 1024
ARTIFACTS_MAX = 10_000
DECLARATION_KIND = "policy"
FILE_MODES = frozenset({"100644", "100755", "100664"})
_NOT_FILES = {"120000": "a symbolic link", "160000": "a submodule"}
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_MEDIA_TYPES = {
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".json": "application/json",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".xml": "application/xml",
    ".html": "text/html",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a commit's tree: mode, object id and size as git says them."""

    path: bytes
    mode: str
    object_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an artifact is: the file, and the path of keys in it; `object_id` is the file's."""

    path: str
    source: Source
    object_id: str
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact as a commit has it."""

    kind: str
    id: str
    revision: str
    sha256: bytes
    place: Place
    content: bytes = field(repr=False)
    media_type: str = "text/plain"
    pin: Pin | None = None

    @property
    def key(self) -> str:
        """Kind and id: what it is called on the command line."""
        return f"{self.kind}:{self.id}"


def shown(path: bytes) -> str:
    """A path for people, whatever it holds."""
    text = path.decode("utf-8", "surrogateescape")
    return text if text.isprintable() else ascii(text)


def places(declaration: Declaration, own_path: str, tree: Iterable[Entry], *, strict: bool = True) -> list[Place]:
    """Where the artifacts of a tree are, once for each source. `own_path`: of the declaration's file, which is one too.

    `Rejected` for a match that can't be taken; where it is not `strict`, that is left out.
    """
    sources = (*declaration.sources, Source(DECLARATION_KIND, (own_path,), id="{name}"))
    found = []
    for entry in tree:
        text = entry.path.decode("utf-8", "surrogateescape")
        for source in sources:
            if _is_in(source, text):
                try:
                    _check_entry(entry)
                except Rejected:
                    if strict:
                        raise
                else:
                    found.append(Place(text, source, entry.object_id))
    if len(found) > ARTIFACTS_MAX:
        raise Rejected("", f"the declaration matches {len(found)} files; at most {ARTIFACTS_MAX} are taken")
    return found


def _is_in(source: Source, path: str) -> bool:
    return any(matches(each, path) for each in source.patterns) and not any(
        matches(each, path) for each in source.exclude
    )


def _check_entry(entry: Entry) -> None:
    path = shown(entry.path)
    if entry.mode in _NOT_FILES:
        raise Rejected("", f"{path}: is {_NOT_FILES[entry.mode]}; an artifact is a file of the repository itself")
    if entry.mode not in FILE_MODES:
        raise Rejected("", f"{path}: is no file (mode {entry.mode})")
    if not path == entry.path.decode("utf-8", "surrogateescape") or not _is_utf8(entry.path):
        raise Rejected("", f"{path}: a path with such characters can't name an artifact")
    if entry.size > ARTIFACT_BYTES_MAX:
        raise Rejected("", f"{path}: expected at most {ARTIFACT_BYTES_MAX} bytes, got {entry.size}")


def _is_utf8(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def artifacts_in(place: Place, data: bytes) -> Iterator[Artifact]:
    """The artifacts of one file of a source."""
    if data.startswith(_LFS):
        raise Rejected("", f"{place.path}: is a Git LFS pointer; its content is not in the repository")
    source = place.source
    if source.files:
        pattern = next(each for each in source.files if matches(each, place.path))
        name = id_of(source.id, pattern, place.path)
        if source.kind == "model":
            yield _model(place, data.decode("utf-8", "replace").strip(), name)
        else:
            yield whole_file(source.kind, name, place, data)
        return
    tree = read_document(data, place.path, is_json=place.path.endswith(".json"))
    for keys, value in values_at(tree, source.keys):
        at = Place(place.path, source, place.object_id, keys)
        yield _model(at, value, keys) if source.kind == "model" else _value(at, value, keys)


def whole_file(kind: str, name: str, place: Place, data: bytes) -> Artifact:
    """The artifact that a file is."""
    suffix = place.path[place.path.rfind(".") :].lower() if "." in place.path else ""
    media_type = place.source.media_type or _MEDIA_TYPES.get(suffix, "text/plain")
    return _artifact(kind, name, place, data, media_type)


def _value(place: Place, value: Any, keys: str) -> Artifact:
    if isinstance(value, str):
        return _artifact(place.source.kind, keys, place, value.encode("utf-8"), place.source.media_type or "text/plain")
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError):
        raise Rejected("", f"{place.path}: {keys}: expected text, numbers, lists and tables") from None
    return _artifact(place.source.kind, keys, place, text.encode("utf-8"), "application/json")


def _model(place: Place, value: Any, keys: str) -> Artifact:
    where = f"{place.path}: {shown(keys.encode('utf-8', 'surrogateescape'))}"
    vendor, model = place.source.vendor, value
    if isinstance(value, dict):
        vendor, model = value.get("vendor", vendor), value.get("model")
    elif isinstance(value, str) and not vendor:
        vendor, _, model = value.partition("/")
        if not model:
            raise Rejected("", f"{where}: expected vendor/model, or a vendor in the declaration")
    if not isinstance(vendor, str) or not vendor or not isinstance(model, str):
        raise Rejected("", f"{where}: expected vendor/model, or a table with vendor and model")
    pin = judge_pin(model)
    # What is no name at all is told by the gate like every other name that pins nothing.
    text = f"{vendor}/{model}" if model and model.isprintable() else f"{vendor}/"
    artifact = _artifact("model", text, place, text.encode("utf-8"), "text/plain")
    revision = model if model and model.isprintable() else artifact.revision
    return Artifact("model", text, revision, artifact.sha256, place, artifact.content, "text/plain", pin)


def _artifact(kind: str, name: str, place: Place, data: bytes, media_type: str) -> Artifact:
    digest = sha256(data)
    try:
        required(name, "id")
    except Rejected as error:
        text = shown(name.encode("utf-8", "surrogateescape"))
        raise Rejected("", f"{place.path}: {text} can't name an artifact: {error.reason}") from None
    return Artifact(kind, name, digest.hexdigest()[:REVISION_DIGITS], digest.digest(), place, data, media_type)


def by_key(found: Iterable[Artifact], *, strict: bool = True) -> dict[str, Artifact]:
    """Artifacts by kind and id; `Rejected` where two files are one. The same pin may stand in many places."""
    artifacts: dict[str, Artifact] = {}
    for each in found:
        held = artifacts.setdefault(each.key, each)
        if strict and held is not each and each.kind != "model":
            raise Rejected(
                "", f"{held.place.path} and {each.place.path} are both {each.key}; give one of them another id"
            )
    return artifacts
