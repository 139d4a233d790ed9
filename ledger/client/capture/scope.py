"""Beginning and ending around a block or a function.

A `Plan` is what `ledger.request(...)`, `.tool(...)`, `.agent(...)` and the others return: usable with `with`, with
`async with`, and as a decorator of functions, coroutine functions, generators and async generators. Each entering, and
each call of a decorated function, is a `Run` of its own: it makes its events and what is around inside.

Faults. Whatever goes wrong in a run is counted and logged (`stats().faults`), never raised, unless the client is
`strict`: the application's block runs as if nobody watched. Only what a plan says must be on record before it begins
raises, and only `ledger.errors`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ledger.client.capture import wrapping
from ledger.client.capture.around import Addition, Around
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from ledger.client.capture.ledger import Ledger

Handle = TypeVar("Handle")
Function = TypeVar("Function", bound=Callable[..., Any])


class Run:
    """One entering of a plan. What a kind of run does is in the methods up to `yielded`."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.around: Around | None = None

    def addition(self) -> Addition:
        """What the block adds to what is around. Called once, when it begins."""
        return Addition()

    def started(self) -> None:
        """Inside the block's surroundings, at its beginning: emits what is to be said now. May raise `LedgerError`."""

    async def started_async(self) -> None:
        """The same where waiting must not hold up an event loop."""
        self.started()

    def ended(self, error: BaseException | None) -> None:
        """At its end: emits what came of it."""

    def returned(self, value: Any) -> None:
        """What a decorated function returned."""

    def yielded(self, value: Any) -> None:
        """What a decorated generator yielded, each time."""

    # --- beginning and ending: nothing here raises but what must ----------------------------------------------------

    def enter(self) -> None:
        """The block begins."""
        if self._begin():
            try:
                self.ledger.guard(self.started, raises=True)
            except BaseException:
                self._unwind()
                raise

    async def enter_async(self) -> None:
        """The block begins, in a coroutine."""
        if self._begin():
            try:
                await self.started_async()
            except LedgerError:
                self._unwind()
                raise
            except Exception as error:
                self.ledger.fault(error)
            except BaseException:
                self._unwind()
                raise

    def leave(self, error: BaseException | None) -> None:
        """The block ends, with the exception that ends it."""
        if self.around is not None:
            self.ledger.guard(lambda: self.ended(error))
            self._unwind()

    def _begin(self) -> bool:
        ambience = self.ledger.ambience

        def begin() -> None:
            around = ambience.inside(self.addition())
            ambience.enter(around)
            self.around = around

        self.ledger.guard(begin)
        return self.around is not None

    def _unwind(self) -> None:
        if self.around is not None:
            self.ledger.ambience.leave(self.around)


class Plan(ABC, Generic[Handle]):
    """See the module. One is entered once at a time; a decorated function may run any number of times at once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._entered: list[Run] = []

    @abstractmethod
    def run(self) -> Run:
        """A new run, for `with`."""

    @abstractmethod
    def handle(self, run: Run) -> Handle:
        """What `as` gives."""

    @abstractmethod
    def run_of(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
        """A new run, for a call of a decorated function."""

    def decorate(self, function: Function) -> Function:
        """The function with a run of this plan around each call."""
        return wrapping.wrap(function, self.run_of)

    def __call__(self, function: Function) -> Function:
        return self.decorate(function)

    def __enter__(self) -> Handle:
        run = self.run()
        run.enter()
        self._entered.append(run)
        return self.handle(run)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._entered:
            self._entered.pop().leave(error)

    async def __aenter__(self) -> Handle:
        run = self.run()
        await run.enter_async()
        self._entered.append(run)
        return self.handle(run)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class Surroundings(Run):
    """A run that makes no events of its own: a session, an agent, whoever acts."""

    def __init__(self, ledger: Ledger, addition: Addition) -> None:
        super().__init__(ledger)
        self._addition = addition

    def addition(self) -> Addition:
        return self._addition


class SurroundingsPlan(Plan[None]):
    """`ledger.session(...)` and the like."""

    def __init__(self, ledger: Ledger, fields: Mapping[str, Any], *, work: bool = False, story: bool = False) -> None:
        super().__init__(ledger)
        self._addition = Addition(fields, work=work, story=story)

    def run(self) -> Run:
        return Surroundings(self._ledger, self._addition)

    def handle(self, run: Run) -> None:
        return None

    def run_of(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
        return self.run()
