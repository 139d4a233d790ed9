"""How objects are named.

    partitions/<pppp>/rounds/<nnnnnnnnnnnn>.round                     one a number, put-if-absent: the commit point
    partitions/<pppp>/events/<nnnnnnnnnnnn>-<digest>.parquet          written before their round; the digest
    partitions/<pppp>/contents/<nnnnnnnnnnnn>-<digest>.parquet        (first 16 hex of SHA-256) keeps racing sealers
    partitions/<pppp>/statements/<nnnnnnnnnnnn>-<digest>.bundle       from each other's files
    partitions/<pppp>/placements/<digest>.placement                   counts once a round names its digest
    partitions/<pppp>/checkpoints/<nnnnnnnnnnnn>.checkpoints          signed from the published round; derived
    logs/<log id>/events/<digest>.parquet                             compacted files, under the tenant's own prefix
    logs/<log id>/contents/<digest>.parquet

`<pppp>` and `<nnnnnnnnnnnn>` are decimal with leading zeros, to 4 and 12 digits; a longer number is written whole. One
number has one name: a name with other zeros is nobody's.
"""

from __future__ import annotations

import re

ROUND_SUFFIX = ".round"
_PARTITION = r"partitions/([0-9]{4}|[1-9][0-9]{4,})"
_NUMBER = r"([0-9]{12}|[1-9][0-9]{12,})"
_ROUND = re.compile(rf"{_PARTITION}/rounds/{_NUMBER}\.round")
_FILE = re.compile(
    rf"{_PARTITION}/(?:(?:events|contents)/{_NUMBER}-[0-9a-f]{{16}}\.parquet"
    rf"|statements/{_NUMBER}-[0-9a-f]{{16}}\.bundle|checkpoints/{_NUMBER}\.checkpoints)"
)


def partition_folder(partition: int, part: str) -> str:
    """The folder of one part (`rounds`, `events`, ...) of a partition."""
    return f"partitions/{partition:04d}/{part}"


def round_name(partition: int, number: int) -> str:
    """The round's own name."""
    return f"{partition_folder(partition, 'rounds')}/{number:012d}{ROUND_SUFFIX}"


def segment_name(partition: int, part: str, number: int, digest: bytes) -> str:
    """A file written by a round: `part` is `events`, `contents` or `statements`."""
    suffix = "bundle" if part == "statements" else "parquet"
    return f"{partition_folder(partition, part)}/{number:012d}-{digest.hex()[:16]}.{suffix}"


def placement_name(partition: int, digest: bytes) -> str:
    """A placement's name, by the digest of its bytes."""
    return f"{partition_folder(partition, 'placements')}/{digest.hex()}.placement"


def proposal_name(partition: int, digest: bytes) -> str:
    """The marker by which a placement is proposed: `consumers.proposals`."""
    return f"{partition_folder(partition, 'proposals')}/{digest.hex()}"


def checkpoints_name(partition: int, number: int) -> str:
    """The checkpoints signed after a round."""
    return f"{partition_folder(partition, 'checkpoints')}/{number:012d}.checkpoints"


def compacted_name(log_id: bytes, part: str, digest: bytes) -> str:
    """A compacted file: `part` is `events` or `contents`."""
    return f"logs/{log_id.hex()}/{part}/{digest.hex()[:32]}.parquet"


def round_number(name: str) -> int | None:
    """The number in a round's name; None when it isn't one."""
    match = _ROUND.fullmatch(name)
    return int(match[2]) if match else None


def segment_number(name: str) -> int | None:
    """The round number in the name of a round's file; None when it isn't one."""
    match = _FILE.fullmatch(name)
    return int(match[2] or match[3] or match[4]) if match else None
