"""Work that may have been done elsewhere: results of blocks that are found instead of computed.

A stage of much work names itself and all that its result depends on, and says what one of its
pieces is. Where a shelf stands (``shelved``), each piece is taken from there if it is there; what
is missing is computed. Pieces are cut from the data alone and put together in their order, so that
the result is the same, wherever each of them was made. Without a shelf all of it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import numpy as np

from cr_audit.engine.mapping import map
from cr_audit.engine.settings import MOST
from cr_audit.engine.threads import inside_a_worker

Inputs = Callable[[], Mapping[str, Any]]
"""Gives all that a stage's result depends on, by the words that a person knows it by; asked for
only where there is a shelf, since it is digested whole."""
Compute = Callable[[Sequence[int]], Iterable[Any]]
"""The results of some pieces, ascending, in their order."""


class Shelf(Protocol):
    """Where pieces are found, or where they are put."""

    def gathered(
        self, stage: str, inputs: Mapping[str, Any], n: int, compute: Compute
    ) -> Iterator[Any]:
        """The results of the ``n`` pieces, in their order."""
        ...


_shelves: list[Shelf | None] = [None]  # the innermost one counts


@contextmanager
def shelved(shelf: Shelf | None) -> Iterator[None]:
    """While the block runs, stages look on this shelf; None: on none. For the process, as ``using``
    is; it changes no result."""
    _shelves.append(shelf)
    try:
        yield
    finally:
        _shelves.pop()


def has_shelf() -> bool:
    """Whether pieces are looked for. Not inside a worker: a stage within a stage is not cut."""
    return _shelves[-1] is not None and not inside_a_worker()


def gathered(stage: str, inputs: Inputs, n: int, compute: Compute) -> Iterator[Any]:
    """The results of the ``n`` pieces of a stage, in their order: found, or computed."""
    shelf = None if inside_a_worker() else _shelves[-1]
    if shelf is None:
        yield from compute(range(n))
    else:
        yield from shelf.gathered(stage, inputs(), n, partial(_alone, compute))


def _alone(compute: Compute, which: Sequence[int]) -> Iterator[Any]:
    """What is done for a piece has no pieces of its own."""
    with shelved(None):
        results = iter(compute(which))
    while True:
        with shelved(None):
            try:
                result = next(results)
            except StopIteration:
                return
        yield result


def in_pieces(
    stage: str,
    inputs: Inputs,
    work: Callable[..., Any],
    blocks: Sequence[Any],
    *,
    rng: np.random.Generator | None = None,
    workers: int | None = None,
    most: int = MOST,
    local: bool = False,
) -> Iterator[Any]:
    """As ``map``, each block being a piece of ``stage``."""
    if not has_shelf():
        if rng is None:
            return map(work, blocks, workers=workers, most=most, local=local)
        return map(work, blocks, rng=rng, workers=workers, most=most, local=local)
    streams = None if rng is None else rng.spawn(len(blocks))

    def compute(which: Sequence[int]) -> Iterator[Any]:
        if streams is None:
            some = [blocks[i] for i in which]
            return map(work, some, workers=workers, most=most, local=local)
        drawn = [(blocks[i], streams[i]) for i in which]
        return map(partial(_with_stream, work), drawn, workers=workers, most=most, local=local)

    return gathered(stage, inputs, len(blocks), compute)


def _with_stream(work: Callable[..., Any], task: tuple[Any, np.random.Generator]) -> Any:
    return work(*task)


def origin(rng: np.random.Generator) -> str:
    """What a generator draws from, and how much was spawned off it before: for ``Inputs``."""
    seed = rng.bit_generator.seed_seq
    spawned = getattr(seed, "n_children_spawned", 0)
    return f"{getattr(seed, 'entropy', None)} {getattr(seed, 'spawn_key', ())} {spawned}"
