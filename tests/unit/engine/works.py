"""Works for tests of the engine: processes import them from here."""

from __future__ import annotations

import os
import threading
import time
from functools import partial

import numpy as np

from cr_audit import engine
from cr_audit.arrays import FloatArray


def place(block: int) -> tuple[int, int, int]:
    """The block, and the process and thread that had it; early blocks take longest."""
    time.sleep(0.02 / (1 + block))
    return block, os.getpid(), threading.get_ident()


def draw(size: int, block: int, stream: np.random.Generator) -> FloatArray:
    return stream.random(size) + block


def fails_at(bad: int, block: int) -> int:
    if block == bad:
        raise ValueError(f"block {block}")
    return block


def blas_threads(block: int) -> list[int]:
    from threadpoolctl import threadpool_info

    return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]


def nested(block: int) -> tuple[int, set[int]]:
    """A map in a block's work: all of it in the thread that has the block."""
    return threading.get_ident(), {t for _, _, t in engine.map(place, range(5), workers=3)}


class Buffered:
    """Each worker fills its own array; what a block returns shows whose it is."""

    def __init__(self) -> None:
        self.scratch = engine.PerWorker(partial(np.zeros, 3))

    def work(self, block: int) -> tuple[int, int]:
        mine = self.scratch.get()
        mine[:] = block
        time.sleep(0.01)
        assert (mine == block).all()
        return os.getpid(), threading.get_ident()
