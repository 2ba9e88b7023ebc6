"""The data set: from frames to the arrays that the numerics want."""

from __future__ import annotations

import io

import numpy as np
import orjson

from cr_audit.data.dataset import RowIssue
from cr_audit.readers import read

ROWS = [
    {
        "prompt": "p",
        "model_a": "A",
        "response_a": "x",
        "model_b": "B",
        "response_b": "y",
        "winner": winner,
        "judge": judge,
    }
    for winner, judge in (("model_b", "j"), ("tie", "k"))
]


def test_frames_and_arrays_hold_the_same() -> None:
    data = read(["-"], stdin=io.BytesIO(b"\n".join(map(orjson.dumps, ROWS))))
    arrays = data.comparison_arrays()
    assert (arrays.n_items, arrays.n) == (2, 2)
    np.testing.assert_array_equal(arrays.winner, [1, 0])
    np.testing.assert_array_equal(arrays.loser, [0, 1])
    np.testing.assert_array_equal(arrays.outcome, [1.0, 0.5])
    np.testing.assert_array_equal(arrays.annotator, [0, 1])
    assert data.annotators == ("j", "k")
    assert (data.n_ties, data.n_prompts, data.n_alternatives, data.has_text) == (1, 1, 2, True)
    groups, names = data.models()
    assert names == ("A", "B")
    np.testing.assert_array_equal(groups.labels, [0, 1])


def test_lists_stand_in_compressed_rows() -> None:
    rows = [{"ranking": ["A", "B"]}, {"ranking": ["B", "C", "A"]}]
    data = read(["-"], stdin=io.BytesIO(b"\n".join(map(orjson.dumps, rows))))
    sets = data.choice_set_arrays()
    np.testing.assert_array_equal(sets.offsets, [0, 2, 5])
    np.testing.assert_array_equal(sets.members, [0, 1, 1, 2, 0])
    np.testing.assert_array_equal(sets.rank, [0, 1, 0, 1, 2])
    assert not data.has_text
    assert data.comparison_arrays().n == 0


def test_an_issue_reads_as_a_line() -> None:
    issue = RowIssue("unknown_label", "prefs.jsonl", 12, "winner", "'who?'")
    assert str(issue) == "prefs.jsonl:12 (winner): unknown_label; found 'who?'"


def test_provenance_names_the_first_rows_of_each_alternative() -> None:
    rows = [{"left": "A", "right": "B", "winner": "A"}, {"left": "C", "right": "A", "winner": "A"}]
    data = read(["-"], stdin=io.BytesIO(b"\n".join(map(orjson.dumps, rows))))
    assert data.provenance([0, 2]) == [("-:1", "-:2"), ("-:2",)]
    assert data.provenance([0], limit=1) == [("-:1",)]
