"""Word diffs: nothing is lost, equal words are never marked, far words are left out."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from cr_audit.blocks import DiffRun
from cr_audit.diff import CONTEXT, MAX_WORDS, word_diff

WORDS = st.lists(st.sampled_from(["a", "b", "c ", "d. ", "e\n", "«f» ", "é", "  "]), max_size=40)


def joined(runs: list[DiffRun]) -> str:
    return "".join(run.text for run in runs if run.kind != "skipped")


def start_of_words(text: str) -> str:
    """White space before the first word is not shown."""
    found = re.search(r"\w|[^\w\s]", text)
    return text[found.start() :] if found else ""


@given(WORDS.map("".join), WORDS.map("".join))
@example("", "")
@example("a", "")
def test_runs_rebuild_the_texts_where_nothing_is_skipped(left: str, right: str) -> None:
    for text, runs in zip((left, right), word_diff(left, right), strict=True):
        if not any(run.kind == "skipped" for run in runs):
            assert joined(runs) == start_of_words(text)
        else:
            shown = [run.text for run in runs if run.kind != "skipped"]
            at = 0
            for piece in shown:  # what is shown stands in the text, in this order
                found = text.find(piece, at)
                assert found >= 0
                at = found + len(piece)


@given(WORDS.map("".join))
def test_equal_texts_have_no_change(text: str) -> None:
    left, right = word_diff(text, text)
    assert left == right
    assert all(run.kind != "changed" for run in left)


@given(WORDS.map("".join), WORDS.map("".join))
def test_diff_of_the_swapped_texts_marks_both_sides(left: str, right: str) -> None:
    """Where one side has a change, the pair differs."""
    a, b = word_diff(left, right)
    if any(run.kind == "changed" for run in a + b):
        assert start_of_words(left) != start_of_words(right)


def test_one_changed_word_among_many() -> None:
    words = [f"w{i}" for i in range(40)]
    other = [*words[:20], "new", *words[21:]]
    left, right = word_diff(" ".join(words), " ".join(other))
    assert [run.kind for run in left] == ["skipped", "same", "changed", "same", "skipped"]
    assert left[2].text.strip() == "w20"
    assert right[2].text.strip() == "new"
    assert left[1].text.split() == words[20 - CONTEXT : 20]
    assert left[0].text == f"… {20 - CONTEXT} words …"


def test_all_words_changed() -> None:
    left, right = word_diff("one two", "three four")
    assert [run.kind for run in left] == ["changed"]
    assert joined(right) == "three four"


def test_very_long_texts_are_compared_at_their_start() -> None:
    left = " ".join(f"w{i}" for i in range(MAX_WORDS * 3))
    shown, _ = word_diff(left, left + " more")
    counted = sum(
        int(run.text.split()[1]) if run.kind == "skipped" else len(run.text.split())
        for run in shown
    )
    assert counted < MAX_WORDS + 1
