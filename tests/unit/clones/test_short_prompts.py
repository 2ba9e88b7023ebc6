"""Prompts of few words, with a word more."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.clones.find import find_clones

LONG = "The tomatoes want water every evening and a stake before the first of June, said the man."


def same(*prompts: str) -> bool:
    """Whether all count as one prompt, others beside them."""
    asked = [*prompts, "Name a river in Asia", "Who wrote this old song"]
    found = find_clones(
        response_texts=[f"{LONG} {i}" for i in range(len(asked))],
        prompt_of=np.arange(len(asked)),
        prompt_texts=asked,
        rng=np.random.default_rng(0),
    )
    labels = found.prompt_labels.labels
    assert len({*labels[len(prompts) :].tolist()} | {int(labels[0])}) == 3
    return len({*labels[: len(prompts)].tolist()}) == 1


@pytest.mark.parametrize(
    "prompts",
    [
        ("Write a poem", "Write a poem please"),
        ("Write a poem", "Please write a poem"),
        ("Christianity or Atheism? Christianity", "Christianity or Atheism? Christianity please"),
        ("Is water wet?", "Is water wet? Why?"),
        ("Write a poem", "WRITE  a\u200b poem!"),
    ],
)
def test_a_word_before_or_behind_asks_the_same(prompts: tuple[str, ...]) -> None:
    assert same(*prompts)
    assert same(*reversed(prompts))


@pytest.mark.parametrize(
    "prompts",
    [
        ("Is this good?", "Is this not good?"),
        ("Christianity or Atheism? Atheism", "Christianity or Atheism? Christianity"),
        ("Write a poem", "Write a poem about the sea at night in winter"),
        ("a poem", "a poem please"),
        ("Write a poem", "Write a song"),
    ],
)
def test_another_word_asks_something_else(prompts: tuple[str, ...]) -> None:
    assert not same(*prompts)
