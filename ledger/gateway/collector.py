"""Python's garbage collector, set for a gateway.

A call's events are some tens of thousands of objects that live together and go together, by their reference counts: the
collector finds nothing among them, and by its defaults looks through them again and again. What a gateway holds from
its start on (modules, schemas, descriptors) is garbage never. (What this saves of intake's time, 0 to 15 parts in 100,
was within the noise of a busy machine; it has to be measured on a free one.)

So what there is once the gateway stands is left out for good, and the collector comes after more allocations. It still
comes: cycles, of which exceptions and tasks make a few, must not add up in a process that runs for months.
"""

from __future__ import annotations

import gc

ALLOCATIONS = 50_000
"""Container objects made and not freed before a look at the young ones; Python's default is 700. About one call's."""

YOUNG = 20
OLD = 20


def settle() -> None:
    """To be called once in a process, when the gateway stands."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, YOUNG, OLD)
