"""Copies among models are found in blocks of pairs: the same groups whatever the block."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Groups
from cr_audit.clones import models
from cr_audit.labels import connected


def brute(model: np.ndarray, prompt: np.ndarray, cluster: np.ndarray, n: int) -> list[int]:
    links = []
    for a in range(n):
        for b in range(a + 1, n):
            of_a, of_b = set(prompt[model == a]), set(prompt[model == b])
            same_a = set(zip(prompt[model == a], cluster[model == a], strict=True))
            same_b = set(zip(prompt[model == b], cluster[model == b], strict=True))
            shared = len(of_a & of_b)
            if shared and len(same_a & same_b) / shared >= models.SAME_ANSWERS:
                links.append((a, b))
    first, second = np.array(links, np.int64).reshape(-1, 2).T
    return connected(n, first, second).tolist()


@pytest.mark.parametrize("block", [1, 7, 40, 4_000_000])
@pytest.mark.parametrize("seed", range(4))
def test_groups_do_not_depend_on_the_block(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    n = 14
    model, prompt = rng.integers(-1, n, 60), rng.integers(0, 6, 60)
    cluster = rng.integers(0, 5, 60)
    monkeypatch.setattr(models, "_BLOCK", block)
    found = models.model_clones(model, prompt, Groups(labels=cluster, n_groups=5), n)
    assert found.labels.tolist() == brute(model, prompt, cluster, n)
    assert found.n_groups == len(set(found.labels.tolist()))
