"""Random streams by name: each stage draws from its own, whether or not another one ran."""

from __future__ import annotations

import hashlib

import numpy as np

# What earlier versions drew from keeps its number, so that the same seed gives the same report.
KEYS: dict[str, int] = {
    "clones": 1,
    "votes": 2,
    "weights": 3,
    "schemes compared": 4,
    "win rates": 10,
    "win rates, second unit": 11,
    "weights of the fit": 12,
    "penalty": 20,
    "rewards": 21,
    "held out": 22,
    "decisions": 23,
    "stress": 30,
    "stress targets": 31,
    "stress penalty": 32,
    "changes of win rates": 40,
    "weights before a batch": 41,
    "weights after a batch": 42,
}


def stream(seed: int, name: str) -> np.random.Generator:
    """The stream ``name`` of a run with this seed: Philox-quality PCG64 seeded by (seed, key).

    A name without a key of its own gets 63 bits of its BLAKE2b digest, far from all of those, so
    that a new stage names its stream and nothing else changes.
    """
    key = KEYS.get(name)
    if key is None:
        digest = hashlib.blake2b(name.encode(), digest_size=8, person=b"cr-audit stream").digest()
        key = int.from_bytes(digest, "little") | 1 << 63
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
