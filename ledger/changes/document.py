"""The declaration: `audit-ledger.toml` at the repository's root, as it stands in the commit that is looked at.

    format = 1
    repository = "github.com/acme/assistant"   # optional: else what the remote `origin` says
    tenants = ["acme"]                         # optional: whom the artifacts are for; else all tenants
    owner = "support-team"                     # optional

    [[artifacts]]                              # whole files
    kind = "prompt"
    files = ["prompts/**/*.md"]                # patterns: `ledger.changes.patterns`
    exclude = ["prompts/drafts/**"]            # optional
    id = "{path}"                              # optional
    media_type = "text/markdown"               # optional
    owner = "support-team"                     # optional: else the one above

    [[artifacts]]                              # values in a TOML or JSON file
    kind = "model"
    file = "models.toml"
    keys = "models.*"                          # key path: `ledger.changes.structured`
    vendor = "openai"                          # optional, models only: where the value does not say it

    [gate]                                     # optional, as is each key
    reviewers_min = 1
    evaluated = ["prompt", "model"]            # kinds that need a report
    signed_commits = false                     # every author signs

    [[evaluations]]                            # what a report must show
    suite = "support-regression"
    metric = "task_success"
    at_least = 0.88                            # or at_most
    kinds = ["prompt"]                         # optional: else every kind in `evaluated`
    artifacts = ["support/*"]                  # optional: ids
    dataset_sha256 = "9f86d081..."             # optional: the only data set that counts

    [[people]]
    name = "mia.lindqvist"                     # what the ledger says
    emails = ["mia@example.org"]
    github = ["mia-l"]

A key that is not known is refused, with the place and what was expected there. A repository without the file has the
declaration `DEFAULT`. The file is an artifact itself, of kind `policy` under its own path: who can loosen the gate, or
take a file out of it, needs a review for that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ledger.changes.patterns import check_pattern, check_template
from ledger.changes.structured import DOCUMENT_BYTES_MAX
from ledger.errors import Misconfigured
from ledger.strict_toml import StrictReader, load_toml
from ledger.tenants import check_tenant_name
from ledger.v1 import event_pb2 as pb

FORMAT = 1
DEFAULT_FILE = "audit-ledger.toml"
ENTRIES_MAX = 1_000
REVIEWERS_MAX = 16
KINDS = tuple(each.removeprefix("ARTIFACT_KIND_").lower() for each in pb.ArtifactKind.keys()[1:])
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where artifacts of one kind are: whole files (`files`), or values in one `file` under `keys`."""

    kind: str
    files: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    id: str = "{path}"
    file: str = ""
    keys: str = ""
    vendor: str = ""
    media_type: str = ""
    owner: str = ""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Every path that it may concern."""
        return self.files or (self.file,)


@dataclass(frozen=True, slots=True)
class Threshold:
    """What one metric of a suite must show. `at_least` says the direction of `limit`."""

    suite: str
    metric: str
    limit: float
    at_least: bool
    kinds: frozenset[str] | None = None
    artifacts: tuple[str, ...] = ()
    dataset: bytes | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate asks for."""

    reviewers_min: int = 1
    evaluated: frozenset[str] = frozenset({"prompt", "model", "agent", "guardrail"})
    signed_commits: bool = False
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredPerson:
    """One of `[[people]]`."""

    name: str
    emails: tuple[str, ...]
    github: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration. `path`: the file it was read from, "" where it is `DEFAULT`."""

    sources: tuple[Source, ...]
    rules: Rules = Rules()
    people: tuple[DeclaredPerson, ...] = ()
    repository: str = ""
    tenants: tuple[str, ...] = ()
    owner: str = ""
    path: str = field(default="", compare=False)


DEFAULT = Declaration(
    (
        Source("prompt", ("prompts/**",)),
        Source("model", file="models.toml", keys="models.*"),
        Source("model", file="models.json", keys="models.*"),
    )
)
"""Of a repository that declares nothing: every file below `prompts`, and the models of `models.toml` or `.json`."""


def parse_declaration(data: bytes, path: str) -> Declaration:
    """The declaration in a file's bytes. `Misconfigured`, beginning with the path, when it is not one."""
    return _Reader(path).declaration(load_toml(data, path, DOCUMENT_BYTES_MAX))


class _Reader(StrictReader):
    """Reads one document."""

    def declaration(self, tree: dict[str, Any]) -> Declaration:
        self.keys(
            tree, {"format"}, {"repository", "tenants", "owner", "artifacts", "gate", "evaluations", "people"}, ""
        )
        self.format(tree["format"], FORMAT)
        owner = self._name(tree.get("owner", ""), "owner")
        sources = self._tables(tree, "artifacts", lambda table, at: self._source(table, at, owner))
        thresholds = self._tables(tree, "evaluations", self._threshold)
        return Declaration(
            sources or DEFAULT.sources,
            self._rules(self.table(tree.get("gate", {}), "gate"), thresholds),
            self._tables(tree, "people", self._person),
            self._name(tree.get("repository", ""), "repository"),
            self._list(tree, "", "tenants", self._tenant),
            owner,
            self.where,
        )

    def _source(self, table: dict[str, Any], at: str, owner: str) -> Source:
        shared = {"owner", "media_type"}
        if "files" in table:
            self.keys(table, {"kind", "files"}, {"exclude", "id", *shared}, at)
        else:
            self.keys(table, {"kind", "file", "keys"}, {"vendor", *shared}, at)
        kind = self.one_of(table["kind"], f"{at}.kind", KINDS)
        if "vendor" in table and kind != "model":
            raise Misconfigured(f"{self.where}: {at}.vendor: is for models only")
        source = Source(
            kind,
            self._list(table, at, "files", self._pattern),
            self._list(table, at, "exclude", self._pattern),
            self._checked(table.get("id", "{path}"), f"{at}.id", check_template),
            self._checked(table["file"], f"{at}.file", check_pattern) if "file" in table else "",
            self._checked(table["keys"], f"{at}.keys", _check_keys) if "keys" in table else "",
            self._name(table.get("vendor", ""), f"{at}.vendor"),
            self._name(table.get("media_type", ""), f"{at}.media_type"),
            self._name(table.get("owner", owner), f"{at}.owner"),
        )
        if not source.files and not source.file.endswith((".toml", ".json")):
            raise self.wrong(f"{at}.file", "a file that ends in .toml or .json", source.file)
        if not source.files and ("*" in source.file or "?" in source.file):
            raise self.wrong(f"{at}.file", "one file, without wildcards", source.file)
        return source

    def _rules(self, table: dict[str, Any], thresholds: tuple[Threshold, ...]) -> Rules:
        self.keys(table, set(), {"reviewers_min", "evaluated", "signed_commits"}, "gate")
        reviewers_min = self.number(table.get("reviewers_min", 1), "gate.reviewers_min", 1, REVIEWERS_MAX)
        signed = table.get("signed_commits", False)
        if not isinstance(signed, bool):
            raise self.wrong("gate.signed_commits", "true or false", signed)
        evaluated = Rules().evaluated
        if "evaluated" in table:
            evaluated = frozenset(self._list(table, "gate", "evaluated", self._kind))
        return Rules(reviewers_min, evaluated, signed, thresholds)

    def _threshold(self, table: dict[str, Any], at: str) -> Threshold:
        self.keys(table, {"suite", "metric"}, {"at_least", "at_most", "kinds", "artifacts", "dataset_sha256"}, at)
        if ("at_least" in table) == ("at_most" in table):
            raise Misconfigured(f"{self.where}: {at}: expected at_least or at_most, one of them")
        direction = "at_least" if "at_least" in table else "at_most"
        limit = table[direction]
        if type(limit) not in (int, float) or not math.isfinite(limit):
            raise self.wrong(f"{at}.{direction}", "a finite number", limit)
        dataset = table.get("dataset_sha256")
        if dataset is not None and not (isinstance(dataset, str) and _SHA256.fullmatch(dataset)):
            raise self.wrong(f"{at}.dataset_sha256", "64 lower-case hex digits", dataset)
        return Threshold(
            self._required_name(table["suite"], f"{at}.suite"),
            self._required_name(table["metric"], f"{at}.metric"),
            float(limit),
            direction == "at_least",
            frozenset(self._list(table, at, "kinds", self._kind)) if "kinds" in table else None,
            self._list(table, at, "artifacts", self._pattern),
            bytes.fromhex(dataset) if dataset is not None else None,
        )

    def _person(self, table: dict[str, Any], at: str) -> DeclaredPerson:
        self.keys(table, {"name"}, {"emails", "github"}, at)
        name = self._required_name(table["name"], f"{at}.name")
        if "," in name:
            raise self.wrong(f"{at}.name", "a name without a comma", name)
        return DeclaredPerson(
            name,
            self._list(table, at, "emails", self._required_name),
            self._list(table, at, "github", self._required_name),
        )

    def _tables(self, tree: dict[str, Any], key: str, read: Callable[[dict[str, Any], str], Any]) -> tuple[Any, ...]:
        values = tree.get(key, [])
        if not isinstance(values, list) or len(values) > ENTRIES_MAX:
            raise self.wrong(key, f"at most {ENTRIES_MAX} tables [[{key}]]", values)
        return tuple(read(self.table(each, f"{key}[{i}]"), f"{key}[{i}]") for i, each in enumerate(values))

    def _list(self, table: dict[str, Any], at: str, key: str, read: Callable[[Any, str], str]) -> tuple[str, ...]:
        values, here = table.get(key, []), f"{at}.{key}" if at else key
        if not isinstance(values, list) or (key in table and not values and key != "evaluated"):
            raise self.wrong(here, "a list of one or more; leave it out for none", values)
        return tuple(read(each, f"{here}[{i}]") for i, each in enumerate(values))

    def _pattern(self, value: Any, at: str) -> str:
        return self._checked(value, at, check_pattern)

    def _kind(self, value: Any, at: str) -> str:
        return self.one_of(value, at, KINDS)

    def _tenant(self, value: Any, at: str) -> str:
        return self._checked(value, at, check_tenant_name)

    def _required_name(self, value: Any, at: str) -> str:
        return self.text(value, at, "a name")

    def _name(self, value: Any, at: str) -> str:
        return "" if value == "" else self._required_name(value, at)

    def _checked(self, value: Any, at: str, check: Callable[[str], object]) -> str:
        if not isinstance(value, str):
            raise self.wrong(at, "text", value)
        try:
            check(value)
        except Misconfigured as error:
            raise Misconfigured(f"{self.where}: {at}: {error}") from None
        return value


def _check_keys(keys: str) -> None:
    if not keys or any(not part for part in keys.split(".")):
        raise Misconfigured("expected keys separated by dots, '*' for every key of a table")
