"""Work in blocks: one ``map`` whose results do not depend on where it runs, and on how many.

    for part in engine.map(work, blocks):                    # in the order of the blocks
    for part in engine.map(work, blocks, rng=rng):           # work(block, stream of its own)

What makes the bytes the same everywhere: blocks are cut by the caller from the data alone, never
from the number of workers; every block has a random stream of its own; results come in the order
of the blocks, so that sums have one order; and BLAS runs on one thread while blocks are worked on.

``kind`` says where: "serial", "threads" (the default) or "processes". A further kind is one file
and one call of ``KINDS.register``. How many workers there are is said in one place, ``using``.

    for part in engine.in_pieces(stage, inputs, work, blocks):     # some may have been made before
"""

from cr_audit.engine.blas import one_blas_thread
from cr_audit.engine.kinds import KINDS, Kind
from cr_audit.engine.mapping import map, spans
from cr_audit.engine.memory import give_back
from cr_audit.engine.on_disk import (
    blocks_of_rows,
    empty,
    forget,
    forgetting,
    is_large,
    zeros_on_disk,
)
from cr_audit.engine.pieces import (
    Compute,
    Inputs,
    Shelf,
    gathered,
    has_shelf,
    in_pieces,
    origin,
    shelved,
)
from cr_audit.engine.scratch import PerWorker
from cr_audit.engine.settings import (
    ALL_CORES,
    MOST,
    cores,
    memory_limit,
    scratch_folder,
    using,
    worker_count,
)
from cr_audit.engine.told import counted, telling, told

__all__ = [
    "ALL_CORES",
    "KINDS",
    "MOST",
    "Compute",
    "Inputs",
    "Kind",
    "PerWorker",
    "Shelf",
    "blocks_of_rows",
    "cores",
    "counted",
    "empty",
    "forget",
    "forgetting",
    "gathered",
    "give_back",
    "has_shelf",
    "in_pieces",
    "is_large",
    "map",
    "memory_limit",
    "one_blas_thread",
    "origin",
    "scratch_folder",
    "shelved",
    "spans",
    "telling",
    "told",
    "using",
    "worker_count",
    "zeros_on_disk",
]
