"""Texts over one buffer against the list of them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.analysis.compose import text_codes_of
from cr_audit.data.content import PLAIN, has_content
from cr_audit.texts import Texts, ranked, some_of

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
COLUMN = st.lists(st.one_of(st.none(), TEXT, st.sampled_from(["a", "b", "", "é"])), max_size=30)


def made(texts: list[str | None]) -> Texts:
    return Texts(pl.Series("text", texts, dtype=pl.String))


@given(COLUMN)
def test_distinct_texts_stand_in_the_order_of_their_characters(texts: list[str | None]) -> None:
    distinct, rank = ranked(made(texts))
    expected, known = ranked(texts)
    assert list(distinct) == list(expected) == sorted({t for t in texts if t is not None})
    assert rank.tolist() == known.tolist()
    assert made(texts).n_distinct() == len({t for t in texts if t})


@given(COLUMN, st.data())
def test_rows_slices_and_picks_are_those_of_the_list(
    texts: list[str | None], data: st.DataObject
) -> None:
    whole = made(texts)
    rows = np.array(data.draw(st.lists(st.sampled_from(range(len(texts))))) if texts else [], int)
    picked = Texts(pl.Series("text", texts, dtype=pl.String), rows)
    as_list = [texts[i] for i in rows.tolist()]
    assert list(whole) == texts
    assert list(picked) == as_list
    assert [picked[i] for i in range(len(picked))] == as_list
    assert [whole[i] for i in rows] == as_list  # as numpy counts
    lo, hi = sorted(data.draw(st.tuples(st.integers(0, 30), st.integers(0, 30))))
    assert whole[lo:hi] == texts[lo:hi]
    assert picked[lo:hi] == as_list[lo:hi]
    assert picked.n_bytes().tolist() == [len((t or "").encode()) for t in as_list]
    again = np.arange(rows.size)[::-1]
    assert some_of(picked, again) == some_of([t or "" for t in as_list], again) or None in as_list


@pytest.mark.parametrize("n", [0, 1, 4095, 4097, 9000])
def test_iteration_goes_on_over_blocks(n: int) -> None:
    texts = [f"text {i}" for i in range(n)]
    assert list(made([*texts])) == texts


@given(st.lists(st.one_of(TEXT, st.sampled_from(["# a", "<b>", "x:\n", "a\nb", ":", "1"]))))
def test_a_line_that_says_something_is_seen_alike_by_both_engines(texts: list[str]) -> None:
    found = pl.Series("text", texts, dtype=pl.String).str.contains(PLAIN).to_list()
    for text, plain in zip(texts, found, strict=True):
        assert not plain or has_content(text)


def test_codes_go_by_first_appearance() -> None:
    class Data:
        alternatives = pl.DataFrame({"text": ["b", "", "a", None, "b", "c", "a"]})

    assert text_codes_of(Data()).tolist() == [0, -1, 1, -1, 0, 2, 1]  # type: ignore[arg-type]


def test_a_digest_tells_texts_their_order_and_absent_ones_apart() -> None:
    columns = [["a", "b"], ["b", "a"], ["ab", ""], ["ab", None], ["ab"], [], [None], ["a", "b", ""]]
    digests = [made(c).digest() for c in columns]
    assert len({*digests}) == len(columns)
    rows = Texts(pl.Series("text", ["b", "x", "a"]), np.array([2, 0]))
    assert rows.digest() == digests[0]
