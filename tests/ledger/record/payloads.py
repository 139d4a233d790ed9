"""Payload values of every kind, made by Hypothesis from the pinned schema itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from ledger.record.payload import BODY_FIELDS
from ledger.record.schemas import PAYLOAD

LONGS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 63, 64, -64, -65, 2**31, -(2**31), 2**62 - 1, 2**62, -(2**62) - 1, 2**63 - 1, -(2**63)]),
)
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999), timezones=st.just(UTC))
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
DOUBLES = st.floats(allow_nan=False)


def values_of(node: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a type of the schema can hold; nullable ones are null half of the time."""
    if isinstance(node, list):
        return st.none() | values_of(node[1], named)
    if isinstance(node, str):
        primitives = {"string": TEXTS, "bytes": st.binary(max_size=40), "long": LONGS, "double": DOUBLES}
        primitives["boolean"] = st.booleans()
        return values_of(named[node], named) if node in named else primitives[node]
    kind = node["type"]
    if kind in ("record", "enum", "fixed"):
        named[node["name"]] = node
    if kind == "record":
        return st.fixed_dictionaries({each["name"]: values_of(each["type"], named) for each in node["fields"]})
    if kind == "enum":
        return st.sampled_from(node["symbols"])
    if kind == "fixed":
        return st.binary(min_size=node["size"], max_size=node["size"])
    if kind == "array":
        return st.lists(values_of(node["items"], named), max_size=3)
    return TIMES if node.get("logicalType") == "timestamp-micros" else values_of(kind, named)


def _by_kind() -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    named: dict[str, Any] = {}
    fields = {each["name"]: values_of(each["type"], named) for each in PAYLOAD.definition["fields"]}
    bodies = {each["name"]: each["type"][1] for each in PAYLOAD.definition["fields"] if each["name"] in _BODIES}
    made = {}
    for kind, field in BODY_FIELDS.items():
        own = {**fields, **dict.fromkeys(_BODIES, st.none()), field: values_of(bodies[field], named)}
        made[kind] = st.fixed_dictionaries({**own, "kind": st.just(kind)})
    return made


_BODIES = frozenset(BODY_FIELDS.values())
PAYLOADS_OF: dict[str, st.SearchStrategy[dict[str, Any]]] = _by_kind()
"""Kind to the payloads of that kind: every optional field set or not, lists, enums, extreme numbers, any text."""

ANY_PAYLOAD = st.sampled_from(sorted(PAYLOADS_OF)).flatmap(PAYLOADS_OF.__getitem__)
