"""Which code points Unicode 14.0 had assigned: the pin under the normalization of identifiers.

Unicode promises that normalizing or case-folding a text of assigned characters never changes in a later version. It
promises nothing for characters that were unassigned then, and every Python brings another Unicode. This table, frozen
with version 1 of the normalization, tells the two apart under any Python.

The table holds the code points at which being assigned flips, from unassigned at 0, as the distances between them:
each in groups of seven bits, low group first, high bit set on all but the last group (LEB128), then base64. A test
makes it again from a Python that has exactly Unicode 14.0 and compares.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from functools import cache

_DISTANCES = (
    "APgGAgYEBwEBARQBjQMBJgIyAgMBNwgbBAYLjgIBPAJlDjsCMQIPARwCAQELBR8BAgbsAQEIAgICFgEHAQEDBAIJAgICBAgBBAIBBQIZAgMBBgQC"
    "AhYBBwECAQIBAgIBAQUEAgIDAwEHBAEBBxEKAwEJAQMBFgEHAQIBBQIKAQMBAwIBDwQCDAcHAQMBCAICAhYBBwECAQUCCQICAgMHAwQCAQUCEgoC"
    "AQYDAwEEAwIBAQECAwIDAwMMBAUDAwEEAgEGAQ4VBQ0BAwEXARACCQEDAQQHAgEDAgECBAIKBxYBAwEXAQoBBQIJAQMBBAcCBgIBBAIKAQINDQED"
    "ATMBAwEGBBACGgEDARIDGAEJAQECBwMBBAYBAQEIBgoCAww6BB0lAgEBAQUBGAEBARcCBQEBAQYCCgIEIEgBJAQnASQBDwENJcYBAQEFAQL5AgEE"
    "AgcBAQEEAikBBAIhAQQCBwEBAQQCDwE5AQQCQwIgAxoGVgIGAp0FA1kHFgkYCRQMDQEDAQIMXgIKBgoGGgZZBysFRgofAQwEDAQBAyoCBQssBBoG"
    "CwM+AkEBHQILBgoGDgIfMU0DLwF0CDwDDwM8BysCCwgrBZYEAgYCJgIGAggBAQEBAQEBHwI1AQ8BDgIGARMCAwEJAWUBDAIbAQ0DIQ8hD4wBBJcF"
    "GQsVlA4CIAHdAgUtAQEFAQI4BwIOGAkHAQcBBwEHAQcBBwEHAQcBfiIaAVkM1gEaDARAAVYCZwUrAV4BVAwvAe3kAQM3CdwCFLgBCMsBBQIBAQEF"
    "GDsDCgY4CEYIDAZ0Cx4DTgELBCEBNwkOAgoCZxgcCgYCBgIGCQcBBwE8BH4CCgakVwwXBDEE7kQCaiYHDAUFGgEFAQEBAgECAX0QvQMCNgcBICoG"
    "MwETAQQEBQGHAQIBAb4BAwYCBgIGAgMDBwEHCgUCDAEaARMBAgEPAg4iewUDBC0DWAENAwEvLoIBHQMxDxwEJAkeBSsFHgElBA4qngECCgYkBCQE"
    "KAg0CwwBDwEHAQIBCwEPAQcBAkO3AgkWCggYBgEqAQlFBgIBASwBAgMBAhcBSAgJMBMBAgUhAxsFAUA4BBQCMgECBQgBAwEdAgMECgcJB0AgJwQM"
    "CTYDHQIbBRoHBAwHUEk3Mw0zBy4ICqYCHwEqAQMCAk4oCCoWGiYcFBcJTgQkCUQKAQIZBwoGNQESCCcJYAEUCxIBLEEHAQEBBAEPAQsGOwUKBgQB"
    "CAICAhYBBwECAQUBCgICAgMCAQYBBQcCBwMFiwFcAQUeSAgKpgE2AiYiRQsKBg0TOgYKNhsCDwQXuQE8ZFMMCAIBAggBAgEeAQICDAkKRggCLgIL"
    "G0gIUw1JhwIJAS0BDgodAyACFgEOSQcBAgEsAwEBAgEJCAoGBgECASUBAgEGBwq2Ahm3AQEPMg2bB2ZvAQULxAHMFGMNrwgBCccfxwS5Q7kEBx8B"
    "CgRRAQoGHgIGCkYKCgEHARUFE7AFW2VLBDkHEUAFCwIO+C8I1gkqCedFBAEHAQIBowItAxEECIwDhBJrBQ0DCQcKAgjcJC4CFwl0PPYBCicCwgEV"
    "RpoBFAxXCRmHAVUBRwECAgECAgIEAQwBAQEHAUEBBAIIAQcBHAEEAQUBAQMHAdQCAqQCAr4FDwUBD9AIH+EBBwERAgcBAgEF1QEtAw4CCgQCwAIf"
    "EToFAeAJBwEEAQIBDwHFAQIQKUwECgQCkQZETD3CAQQBGwECAQECAQEKAQQBAQEBBgEEAQEBAQEBAwECAQECAQEBAQEBAQEBAQIBAQIEAQcBBAEE"
    "AQEBCgERBQMBBQERNAKOAiwEZAwPAg8BDwElCq4BOB0NLAQJBwIOBpoB2AcFEAMNA3QMWQcMBAEPDAQ4CAoGKAgeAgJO1AIMDgIFAwUDBwkdAwsF"
    "BgoKBggIBwmTAQE3JQqGCODNAiC5IAfeAQKCLQ6xOp8YngTiC8smttkrAR5ggAHwAZD8A/7/AwL+/wM="
)


@cache
def assignment_flips() -> tuple[int, ...]:
    """The code points at which being assigned in Unicode 14.0 flips, ascending."""
    flips: list[int] = []
    position = distance = shift = 0
    for byte in base64.b64decode(_DISTANCES):
        distance |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            position += distance
            flips.append(position)
            distance = shift = 0
    return tuple(flips)


def was_assigned(character: str) -> bool:
    """Whether Unicode 14.0 had assigned this one character."""
    return bisect_right(assignment_flips(), ord(character)) % 2 == 1
