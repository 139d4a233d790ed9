"""Bringing a key store that was put back from a backup up to the sealed events.

For each tenant, in this order:

1. links that sealed events imply, between sessions or amended events and persons the store knows;
2. legal holds are put into the state of their last event;
3. every sealed erasure and expiry that the store does not know is done again, by the same steps and under the same id:
   the persons' rows, found by their pseudonyms, the rows of what stands for them alone, and every scope that was named;
4. what is left over is told: pseudonyms and scopes that stand in sealed events and that the store can explain neither
   by a row nor by an erasure. They were made after the backup. The contents under such scopes are lost; such a person
   gets another pseudonym when she comes again, and can't be erased by her identifier.

A tenant whose deletion a round has committed loses its keys again, for good, and nothing else is brought up to date;
one whose last event is sealed is closed again. `tenant delete --resume` ends both.

Last, the newest rounds are remembered, and the ledger opens again. Every step can be done twice; a crash leaves a store
that is still behind, and refused.

What no round had sealed when the event log was lost as well is not known here: the holders of receipts know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ledger.erasure.sealed_facts import Destroyed, SealedFacts, read_facts
from ledger.final_statement import read_final_statement
from ledger.keys.destruction import Destruction, Request
from ledger.keys.replay import KeyReplay
from ledger.keys.tenant_deletion import TenantDeletions
from ledger.newest_rounds import NewestRound, NewestRounds
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.state import PartitionState
from ledger.tenants import SYSTEM, TenantRegistry
from ledger.trust import TrustedKeys


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one tenant's keys. `pseudonyms`, `scope_ids`: what nothing explains, sorted.

    `deletion`: how far the deletion of the whole tenant is, "" when there is none.
    """

    tenant: str
    erasures: int
    expiries: int
    links: int
    holds: int
    pseudonyms: tuple[bytes, ...]
    scope_ids: tuple[bytes, ...]
    deletion: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether the store was behind in anything of this tenant."""
        changed = self.erasures + self.expiries + self.links + self.holds
        return bool(changed or self.pseudonyms or self.scope_ids)


class Restoring:
    """Catches a key store up. Calls block."""

    def __init__(
        self,
        store: FileStore,
        trust: Callable[[], TrustedKeys],
        tenants: TenantRegistry,
        destructions: KeyReplay,
        newest: NewestRounds,
        suppressed_s: int,
        tenant_deletions: TenantDeletions,
    ) -> None:
        self._store = store
        self._trust = trust
        self._tenants = tenants
        self._destructions = destructions
        self._newest = newest
        self._suppressed_s = suppressed_s
        self._tenant_deletions = tenant_deletions

    def run(self) -> Iterator[Restored]:
        """One tenant after the other; when the last was given, the newest rounds are remembered."""
        newest = dict(self._published())
        for tenant in self._tenants.all():
            if tenant.name != SYSTEM:
                yield self._restore(tenant.name, read_facts(self._store, self._trust, tenant))
        for partition, each in newest.items():
            self._newest.advance(partition, each)

    def _restore(self, tenant: str, facts: SealedFacts) -> Restored:
        if facts.final:
            return Restored(tenant, 0, 0, 0, 0, (), (), self._delete(tenant, facts.final))
        links = self._destructions.add_links(tenant, facts.links)
        holds = sum(
            self._destructions.hold_again(
                tenant, each.hold_id, each.pseudonym, each.request, each.at_ms, released=each.released
            )
            for each in facts.holds.values()
        )
        done = {"erasure": 0, "expiry": 0}
        for left in self._destructions.unfinished(tenant):
            if left.destruction_id not in facts.destroyed:
                self._destroy(left)  # its event was lost with the event log; the next `erase` publishes it
        # What the store knows of comes first: nothing new begins beside what is not finished.
        begun = {each.destruction_id for each in self._destructions.all(tenant)}
        for each in sorted(facts.destroyed.values(), key=lambda one: (one.destruction_id not in begun, one.at_ms)):
            done[each.kind] += self._replay(tenant, each)
        explained = {scope for each in facts.destroyed.values() for scope in each.scope_ids}
        erased = {pseudonym for each in facts.destroyed.values() for pseudonym in each.pseudonyms}
        pseudonyms, scope_ids = self._destructions.unexplained(
            tenant, facts.pseudonyms - erased, facts.scope_ids - explained
        )
        left_over = tuple(sorted(pseudonyms)), tuple(sorted(scope_ids))
        deletion = ""
        if facts.closed is not None:
            work, order = self._tenant_deletions, facts.closed
            work.again(tenant, order.deletion_id, order.request, order.at_ms)
            deletion = work.get(tenant).phase
        return Restored(tenant, done["erasure"], done["expiry"], links, holds, *left_over, deletion)

    def _delete(self, tenant: str, final: str) -> str:
        """Destroys the keys of a tenant that was deleted, as far as the store has them; how far the deletion is."""
        work, said = self._tenant_deletions, read_final_statement(final)
        request = Request(said.requester, said.approvers, said.legal_ground, said.reason)
        work.again(tenant, said.deletion_id, request, said.closed_at_ms)
        work.destroy(tenant, again=True)
        work.clear(tenant)
        work.stated(tenant, final)
        return work.get(tenant).phase

    def _replay(self, tenant: str, destroyed: Destroyed) -> bool:
        """Whether there was anything to destroy."""
        work, which = self._destructions, destroyed.destruction_id
        marked = work.mark_again(
            tenant,
            which,
            destroyed.kind,
            destroyed.request,
            destroyed.pseudonyms,
            destroyed.scope_ids,
            destroyed.retention_class,
            destroyed.month,
        )
        self._destroy(marked)
        # The events are sealed: there is nothing to publish.
        work.counted(which, destroyed.counts)
        work.published(which)
        work.finish(which)
        return not marked.reached("destroyed") and work.get(which).keys_destroyed > 0

    def _destroy(self, marked: Destruction) -> None:
        work, which = self._destructions, marked.destruction_id
        if not marked.reached("rewrapped"):
            work.rewrap(which)
        if not marked.reached("destroyed"):
            work.destroy(which, self._suppressed_s)
        if not marked.reached("wiped"):
            work.wipe(which)

    def _published(self) -> Mapping[int, NewestRound]:
        """The newest published round of each partition; all rounds up to it are checked on the way."""
        found = {}
        for partition in range(self._tenants.partitions()):
            state = PartitionState(partition)
            history = History(self._store, partition, self._trust())
            for sealed in history.follow(state):
                found[partition] = NewestRound(sealed.round.number, state.previous)
            history.check_contiguous()
        return found
