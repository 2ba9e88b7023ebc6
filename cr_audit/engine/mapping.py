"""``map``: the one way to work on blocks side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast, overload

import numpy as np

from cr_audit.engine.blas import one_blas_thread
from cr_audit.engine.kinds import KINDS, Kind, Task
from cr_audit.engine.serial import SERIAL
from cr_audit.engine.settings import MOST, setting, worker_count
from cr_audit.engine.threads import inside_a_worker

B = TypeVar("B")
R = TypeVar("R")


def spans(n: int, size: int) -> list[slice]:
    """0..n - 1 in slices of ``size``, the last one shorter."""
    return [slice(a, min(a + size, n)) for a in range(0, n, size)]


@overload
def map(
    work: Callable[[B], R],
    blocks: Sequence[B],
    *,
    workers: int | None = None,
    most: int = MOST,
    local: bool = False,
) -> Iterator[R]: ...
@overload
def map(
    work: Callable[[B, np.random.Generator], R],
    blocks: Sequence[B],
    *,
    rng: np.random.Generator,
    workers: int | None = None,
    most: int = MOST,
    local: bool = False,
) -> Iterator[R]: ...
def map(
    work: Callable[..., Any],
    blocks: Sequence[Any],
    *,
    rng: np.random.Generator | None = None,
    workers: int | None = None,
    most: int = MOST,
    local: bool = False,
) -> Iterator[Any]:
    """``work(block)`` of every block, in their order, some of them side by side.

    rng : block k gets a second argument, the k-th of the streams that ``rng.spawn`` gives, so that
    what it draws depends on ``rng`` and k alone.
    workers, most : see ``worker_count``; neither changes a result.
    local : stays in this process, whatever the kind: for work on much data that takes little time,
    and for what cannot be sent (a loaded model).

    Results are handed out as they are asked for, and few wait, so a sum over blocks needs the
    memory of few. What is not asked for may not be computed. A map inside a block's work runs in
    that worker. One worker or one block: the caller does it. The first error is raised.
    """
    tasks = zip(blocks) if rng is None else zip(blocks, _streams(rng, len(blocks)), strict=True)
    n = min(worker_count(workers, most=most), len(blocks))
    kind = SERIAL if n <= 1 or inside_a_worker() else KINDS.get(setting().kind)
    if local and not kind.here:
        kind = KINDS.get("threads")
    return _results(kind, work, tasks, n)


def _streams(rng: np.random.Generator, n: int) -> Iterator[np.random.Generator]:
    """As ``rng.spawn(n)``, each made when it is needed: an audit may have 100,000 blocks."""
    seeds = cast(np.random.SeedSequence, rng.bit_generator.seed_seq).spawn(n)
    kind = type(rng.bit_generator)
    return (np.random.Generator(kind(seed)) for seed in seeds)


def _results(
    kind: Kind, work: Callable[..., Any], tasks: Iterable[Task], workers: int
) -> Iterator[Any]:
    with one_blas_thread():
        yield from kind.run(work, tasks, workers)
