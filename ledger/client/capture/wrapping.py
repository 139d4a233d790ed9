"""Functions with a run around each call, of the same kind as they were.

| function        | becomes         | the run begins      | and ends                                   |
| --------------- | --------------- | ------------------- | ------------------------------------------ |
| `def`           | `def`           | with the call       | when it returns or raises                  |
| `async def`     | `async def`     | when it is awaited  | when it returns, raises or is cancelled    |
| generator       | generator       | with the first step | when it is exhausted, raises, or is closed |
| async generator | async generator | with the first step | the same                                   |

What the function returns, yields and raises is handed on unchanged: the same objects, `send` and `throw` included. What
is around inside a generator is around during its steps only, never for its consumer between them.

A static or class method may stand below the decorator. A function that hands back an awaitable without being a
coroutine function is taken for what it looks like: its run ends when it returns.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from ledger.client.capture.scope import Run

Function = TypeVar("Function", bound=Callable[..., Any])
MakeRun = Callable[[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]], "Run"]


def wrap(function: Function, make_run: MakeRun) -> Function:
    """The function with a run around each call."""
    if isinstance(function, staticmethod | classmethod):
        return cast(Function, type(function)(wrap(function.__func__, make_run)))
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"expected a function to decorate, got {type(function).__name__}")
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    plain = _unwrapped(called)
    if inspect.isasyncgenfunction(plain):
        wrapped: Callable[..., Any] = _async_generator(function, make_run)
    elif inspect.isgeneratorfunction(plain):
        wrapped = _generator(function, make_run)
    elif inspect.iscoroutinefunction(plain):
        wrapped = _coroutine(function, make_run)
    else:
        wrapped = _function(function, make_run)
    return cast(Function, functools.update_wrapper(wrapped, function))


def _unwrapped(called: Any) -> Any:
    while isinstance(called, functools.partial):
        called = called.func
    return called


def _function(function: Callable[..., Any], make_run: MakeRun) -> Callable[..., Any]:
    def run_function(*args: Any, **kwargs: Any) -> Any:
        run = make_run(function, args, kwargs)
        run.enter()
        try:
            value = function(*args, **kwargs)
        except BaseException as error:
            run.leave(error)
            raise
        run.ledger.guard(lambda: run.returned(value))
        run.leave(None)
        return value

    return run_function


def _coroutine(function: Callable[..., Any], make_run: MakeRun) -> Callable[..., Any]:
    async def run_coroutine(*args: Any, **kwargs: Any) -> Any:
        run = make_run(function, args, kwargs)
        await run.enter_async()
        try:
            value = await function(*args, **kwargs)
        except BaseException as error:
            run.leave(error)
            raise
        run.ledger.guard(lambda: run.returned(value))
        run.leave(None)
        return value

    return run_coroutine


class _Steps:
    """Puts what is around inside a generator around each of its steps."""

    def __init__(self, run: Run) -> None:
        self._ambience = run.ledger.ambience
        self._inside = run.around
        self._outside = run.around.outer if run.around is not None else None

    def __enter__(self) -> None:
        self._outside = self._ambience.swap(self._inside)

    def __exit__(self, *_: object) -> None:
        self._inside = self._ambience.swap(self._outside)


def _generator(function: Callable[..., Any], make_run: MakeRun) -> Callable[..., Any]:
    def run_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        run = make_run(function, args, kwargs)
        before = run.ledger.ambience.now()
        run.enter()
        run.ledger.ambience.swap(before)
        steps = _Steps(run)
        try:
            with steps:
                inner = function(*args, **kwargs)
            value = yield from _relay(inner, run, steps)
        except BaseException as error:
            run.leave(error)
            raise
        run.ledger.guard(lambda: run.returned(value))
        run.leave(None)
        return value

    return run_generator


def _relay(inner: Generator[Any, Any, Any], run: Run, steps: _Steps) -> Generator[Any, Any, Any]:
    """`yield from inner`, step by step (PEP 380)."""
    step: Callable[[], Any] = lambda: next(inner)  # noqa: E731
    while True:
        try:
            with steps:
                value = step()
        except StopIteration as stop:
            return stop.value
        _note(run, value)
        try:
            sent = yield value
        except GeneratorExit:
            with steps:
                inner.close()
            raise
        except BaseException as error:
            step = functools.partial(inner.throw, error)
        else:
            step = functools.partial(inner.send, sent)


def _async_generator(function: Callable[..., Any], make_run: MakeRun) -> Callable[..., Any]:
    async def run_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        run = make_run(function, args, kwargs)
        before = run.ledger.ambience.now()
        await run.enter_async()
        run.ledger.ambience.swap(before)
        steps = _Steps(run)
        try:
            with steps:
                inner = function(*args, **kwargs)
            step: Callable[[], Any] = inner.__anext__
            while True:
                try:
                    with steps:
                        value = await step()
                except StopAsyncIteration:
                    break
                _note(run, value)
                try:
                    sent = yield value
                except GeneratorExit:
                    with steps:
                        await inner.aclose()
                    raise
                except BaseException as error:
                    step = functools.partial(inner.athrow, error)
                else:
                    step = functools.partial(inner.asend, sent)
        except BaseException as error:
            run.leave(error)
            raise
        run.leave(None)

    return run_async_generator


def _note(run: Run, value: Any) -> None:
    run.ledger.guard(lambda: run.yielded(value))
