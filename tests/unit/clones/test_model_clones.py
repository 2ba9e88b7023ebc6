"""Models that copy one another."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import Groups
from cr_audit.clones.models import model_clones


def groups(answers: list[list[int]]) -> list[int]:
    """``answers[model][prompt]`` is the clone cluster of the answer, -1 where there is none."""
    rows = [(m, p, c) for m, row in enumerate(answers) for p, c in enumerate(row) if c >= 0]
    model, prompt, cluster = (np.array(x, dtype=np.int64) for x in zip(*rows, strict=True))
    # Clusters live within a prompt: the same number under two prompts is two clusters.
    labels = np.unique(prompt * 1000 + cluster, return_inverse=True)[1].astype(np.int64)
    found = model_clones(model, prompt, Groups(labels, int(labels.max()) + 1), len(answers))
    return found.labels.tolist()


def test_models_with_the_same_answers_are_one_group() -> None:
    assert groups([[0, 0, 0], [0, 0, 0], [1, 1, 1]]) == [0, 0, 1]


def test_half_of_the_shared_prompts_is_enough_and_less_is_not() -> None:
    assert groups([[0, 0, 0, 0], [0, 0, 1, 1]]) == [0, 0]
    assert groups([[0, 0, 0, 0], [0, 1, 1, 1]]) == [0, 1]


def test_only_shared_prompts_count() -> None:
    assert groups([[0, -1, -1], [0, 1, 2]]) == [0, 0]


def test_models_without_a_shared_prompt_are_no_clones() -> None:
    assert groups([[0, -1], [-1, 0]]) == [0, 1]


def test_groups_are_connected() -> None:
    # 0 and 2 share nothing, but both copy 1.
    assert groups([[0, 0, 5, 5], [0, 0, 1, 1], [7, 7, 1, 1]]) == [0, 0, 0]


def test_responses_of_unknown_models_are_left_out() -> None:
    labels = Groups(np.zeros(3, np.int64), 1)
    found = model_clones(np.array([0, -1, 1]), np.zeros(3, np.int64), labels, 3)
    assert found.labels.tolist() == [0, 0, 1]
