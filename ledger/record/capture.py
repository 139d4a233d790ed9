"""What the capture policy decided for an event, and for those of its contents for which it decided otherwise.

The decision itself is the gateway's (`ledger.gateway.capturing`); this is what `assemble` needs of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["full", "redacted", "metadata"]


@dataclass(frozen=True, slots=True)
class ContentCapture:
    """What becomes of one content.

    `data`: the bytes to keep, after redaction; of `metadata` mode the bytes to take the digest of. `detected_class`,
    `rule_pack` and `detections` (type, count; sorted): what was found, where anything looked.
    """

    mode: Mode
    retention_class: str
    data: bytes = field(repr=False)
    detected_class: str = "unspecified"
    rule_pack: str | None = None
    detections: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Capture:
    """What the capture policy decided for an event.

    `mode` and `retention_class` are for every content that is not among `contents`, which are by slot. Without
    `contents` the mode is `full`: nothing else can be done without a look at each.
    """

    mode: Mode
    policy_version: str
    retention_class: str
    contents: Mapping[str, ContentCapture] = field(default_factory=dict)
    detected_class: str = "unspecified"
