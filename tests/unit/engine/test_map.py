"""``engine.map``: order, streams, errors and memory, whatever the workers are."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from works import Buffered, blas_threads, draw, fails_at, nested, place

from cr_audit import engine
from cr_audit.errors import UsageError

KINDS = ("serial", "threads", "processes")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    with engine.using(kind=request.param):
        yield request.param


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_blocks(kind: str, workers: int) -> None:
    found = list(engine.map(place, range(12), workers=workers))
    assert [block for block, _, _ in found] == list(range(12))
    processes, threads = {p for _, p, _ in found}, {t for _, _, t in found}
    if workers == 1 or kind == "serial":
        assert processes == {os.getpid()}
        assert threads == {threading.get_ident()}
    elif kind == "threads":
        assert processes == {os.getpid()}
        assert len(threads) == 2
    else:  # one may have done all before the other had started
        assert os.getpid() not in processes
        assert len(processes) <= 2


def test_a_local_map_stays_in_this_process(kind: str) -> None:
    assert {p for _, p, _ in engine.map(place, range(6), workers=2, local=True)} == {os.getpid()}


def test_every_block_has_the_stream_that_spawn_gives_it(kind: str) -> None:
    blocks = [3, 1, 2, 9, 4]
    wanted = [
        stream.random(4) + block
        for block, stream in zip(blocks, np.random.default_rng(7).spawn(5), strict=True)
    ]
    for workers in (1, 2):
        rng = np.random.default_rng(7)
        found = list(engine.map(partial(draw, 4), blocks, rng=rng, workers=workers))
        np.testing.assert_array_equal(found, wanted)
        # A second map goes on where the first one ended, as two calls of spawn do.
        again = list(engine.map(partial(draw, 4), blocks, rng=rng, workers=workers))
        assert not np.array_equal(again, wanted)


def test_streams_are_of_the_generator_s_own_kind() -> None:
    root = np.random.SeedSequence([1, 2])
    rng = np.random.Generator(np.random.SFC64(root))
    found = list(engine.map(partial(draw, 3), range(2), rng=rng))
    child = np.random.SeedSequence(root.entropy, spawn_key=(1,))
    np.testing.assert_array_equal(
        found[1], np.random.Generator(np.random.SFC64(child)).random(3) + 1
    )


def test_streams_are_spawned_when_the_map_is_made() -> None:
    """What the caller draws between the call and the first result must not move a block."""
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    lazy = engine.map(partial(draw, 2), range(2), rng=rng)
    rng.spawn(1)
    np.testing.assert_array_equal(
        list(lazy), list(engine.map(partial(draw, 2), range(2), rng=other))
    )


def test_an_error_is_raised_where_its_block_stands(kind: str) -> None:
    results = engine.map(partial(fails_at, 3), range(40), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="block 3"):
        next(results)
    assert list(engine.map(partial(fails_at, -1), range(4), workers=2)) == [0, 1, 2, 3]


def test_few_results_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sum over many blocks needs the memory of few."""
    begun: list[int] = []
    results = engine.map(begun.append, range(500), workers=2)
    next(results)
    assert len(begun) <= 2 * 4 + 2
    list(results)
    assert sorted(begun) == list(range(500))


def test_stopping_early_leaves_nothing_running() -> None:
    begun: list[int] = []
    results = engine.map(begun.append, range(500), workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    n = len(begun)
    list(engine.map(place, range(4), workers=2))
    assert len(begun) == n


def test_blas_has_one_thread_while_blocks_are_worked_on(kind: str) -> None:
    before = blas_threads(0)
    for seen in engine.map(blas_threads, range(4), workers=2):
        assert set(seen) <= {1}
    assert blas_threads(0) == before


def test_the_last_context_to_close_puts_the_blas_threads_back() -> None:
    before = blas_threads(0)
    one, two = engine.one_blas_thread(), engine.one_blas_thread()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)  # not the order in which they were opened
    assert set(blas_threads(0)) <= {1}
    two.__exit__(None, None, None)
    assert blas_threads(0) == before


def test_a_map_inside_a_block_waits_for_nobody(kind: str) -> None:
    for mine, used in engine.map(nested, range(4), workers=2):
        assert used == {mine} or kind == "serial"


def test_scratch_is_a_worker_s_own(kind: str) -> None:
    users = set(engine.map(Buffered().work, range(8), workers=2))
    assert len(users) == 1 if kind == "serial" else len(users) <= 2


def test_what_cannot_be_sent_is_refused_by_name() -> None:
    with engine.using(kind="processes"), pytest.raises((AttributeError, TypeError), match="lambda"):
        list(engine.map(lambda block: block, range(3), workers=2))


def test_how_many_workers_is_said_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cr_audit.engine.settings.cores", lambda: 16)
    assert engine.worker_count() == engine.MOST == 4
    assert engine.worker_count(most=engine.ALL_CORES) == 16
    assert engine.worker_count(7) == 7
    with engine.using(workers=3):
        assert engine.worker_count() == engine.worker_count(most=engine.ALL_CORES) == 3
        assert engine.worker_count(7) == 7
        with engine.using(kind="serial"):
            assert engine.worker_count() == 3
    assert engine.worker_count() == 4
    with pytest.raises(ValueError, match="at least one"), engine.using(workers=-1):
        pass


def test_a_kind_from_outside_is_one_registration() -> None:
    class Backwards:
        here = True

        def run(self, work, tasks, workers):  # type: ignore[no-untyped-def]
            done = [work(*task) for task in reversed(list(tasks))]
            return iter(reversed(done))

    engine.KINDS.register("backwards", Backwards())
    try:
        with engine.using(kind="backwards"):
            rng = np.random.default_rng(1)
            found = list(engine.map(partial(draw, 2), range(5), rng=rng, workers=2))
        rng = np.random.default_rng(1)
        np.testing.assert_array_equal(
            found, list(engine.map(partial(draw, 2), range(5), rng=rng, workers=1))
        )
        with pytest.raises(ValueError, match="already"):
            engine.KINDS.register("backwards", Backwards())
    finally:
        engine.KINDS.unregister("backwards")
    with engine.using(kind="nowhere"), pytest.raises(UsageError, match="nowhere"):
        list(engine.map(place, range(3), workers=2))
