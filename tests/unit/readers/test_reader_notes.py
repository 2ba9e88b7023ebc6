"""What is counted, what is kept, what is skipped; mappings; pairs implied by lists and ratings."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError, UsageError
from cr_audit.readers import implied, read


def load(rows: list[dict[str, Any]], **options: Any) -> PreferenceDataset:
    body = b"\n".join(map(orjson.dumps, rows))
    return read(["-"], stdin=io.BytesIO(body), **options)


def pair(a: str = "x", b: str = "y", winner: Any = "model_a", **more: Any) -> dict[str, Any]:
    return {"prompt": "p", "response_a": a, "response_b": b, "winner": winner, **more}


def test_each_remark_is_counted_by_rows_and_shown() -> None:
    rows = [
        pair(),
        pair(winner="model_b"),  # contradicts the first
        pair(),  # repeats the first
        pair("x", "z", "tie"),
        pair(" ", "z"),
        pair(True, "z"),
        pair("z", "z "),  # nothing tells them apart
        pair("z", "w", "who?"),
        pair("z", "w", None),
    ]
    report = load(rows, max_skipped=0.5).report
    assert report.rows_read == 9
    assert report.skipped_by_reason == {
        "identical_pair": 1,
        "missing_label": 1,
        "unknown_label": 1,
    }
    assert report.noted == {
        "contradictory_row": 3,
        "duplicate_row": 1,
        "empty_answer": 1,
        "non_string_text": 1,
        "tie": 1,
    }
    shown = {(i.reason, i.line, i.field, i.found) for i in report.examples}
    assert ("unknown_label", 8, "winner", "'who?'") in shown
    assert ("non_string_text", 6, "response_a", "True") in shown
    assert ("duplicate_row", 3, "row", "the same judgement again") in shown


def test_at_most_five_examples_per_reason() -> None:
    report = load([pair(f"x{i}", "y", "tie") for i in range(20)]).report
    assert report.noted == {"tie": 20}
    assert [i.line for i in report.examples] == [1, 2, 3, 4, 5]


def test_annotators_do_not_contradict_each_other() -> None:
    rows = [pair(annotator="u"), pair(winner="model_b", annotator="v")]
    data = load(rows)
    assert data.report.noted == {}
    assert data.annotators == ("u", "v")
    again = load([pair(annotator="u"), pair("y", "x", annotator="u")])
    assert again.report.noted == {"contradictory_row": 2}


def test_missing_labels_are_skipped_but_stop_nothing() -> None:
    report = load([pair(), *[pair(winner=None)] * 99]).report
    assert report.skipped_by_reason == {"missing_label": 99}
    with pytest.raises(InputError) as caught:
        load([pair(winner=None)] * 3)
    assert caught.value.slug == "no_usable_rows"


def test_the_stop_is_beyond_the_share_not_at_it() -> None:
    rows = [pair(f"x{i}") for i in range(99)]
    assert load([*rows, pair("z", "z")]).report.rows_skipped == 1
    with pytest.raises(InputError) as caught:
        load([*rows[1:], pair("z", "z"), pair("w", "v", "?")])
    error = caught.value
    assert (error.slug, error.exit_code) == ("too_many_skipped", 3)
    assert error.details == (
        "-:99 (both responses): identical_pair; found 'z'",
        "-:100 (winner): unknown_label; found '?'",
    )


def test_a_bare_zero_is_never_guessed() -> None:
    rows = [pair(winner=0), pair("v", "w", winner=1)]
    with pytest.raises(InputError):
        load(rows)
    data = load(rows, mapping={"label": "winner", "left_label": "1", "right_label": "0"})
    texts = data.alternatives["text"].to_list()
    assert [texts[w] for w in data.comparisons["winner"].to_list()] == ["y", "v"]


def test_two_models_with_one_text_are_two_alternatives() -> None:
    data = load([pair("x", "x", model_a="A", model_b="B")])
    assert data.n_alternatives == 2
    assert data.alternatives["text"].to_list() == ["x", "x"]


@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        (
            {"question": "p", "better": "x", "worse": "y"},
            {"prompt": "question", "chosen": "better"},
        ),
        ({"q": "p", "yes": "x", "no": "y"}, {"prompt": "q", "chosen": "yes", "rejected": "no"}),
        (
            {"q": {"t": "p"}, "l": "x", "r": "y", "who": "l"},
            {"prompt": "q.t", "left": "l", "right": "r", "label": "who"},
        ),
        (
            {"q": "p", "l": "x", "r": "y", "sl": 2, "sr": 1},
            {"prompt": "q", "left": "l", "right": "r", "left_score": "sl", "right_score": "sr"},
        ),
        ({"a.b": "p", "chosen": "x", "rejected": "y"}, {"prompt": "a.b"}),
    ],
)
def test_mappings(row: dict[str, Any], mapping: dict[str, str]) -> None:
    data = load([row], mapping=mapping)
    assert data.report.schemas[0].how == "mapped"
    assert data.prompts["text"].to_list() == ["p"]
    assert data.alternatives["text"].to_list() == ["x", "y"]
    assert data.comparisons["winner"].to_list() == [0]


def test_mapped_ids_and_ratings() -> None:
    data = load(
        [{"m1": "A", "m2": "B", "res": "B", "w": 2}],
        mapping={"left_model": "m1", "right_model": "m2", "label": "res", "weight": "w"},
    )
    assert data.alternatives["model"].to_list() == ["A", "B"]
    assert data.comparisons.select("winner", "mass").rows() == [(1, 2.0)]
    data = load([{"t": "x", "s": 3, "m": "A"}], mapping={"text": "t", "score": "s", "model": "m"})
    assert data.ratings.select("score", "aspect").rows() == [(3.0, "s")]


def test_wrong_mappings_name_what_is_near() -> None:
    row = {"question": "p", "better": "x", "lesser": "y"}
    with pytest.raises(UsageError, match="prompt=question"):
        load([row], mapping={"promt": "question"})
    with pytest.raises(InputError, match="prompt=question"):
        load([row], mapping={"prompt": "qestion"})
    with pytest.raises(UsageError, match="rejected"):
        load([row], mapping={"prompt": "question", "chosen": "better"})
    with pytest.raises(InputError, match="human_ref_A"):
        load([row], schema="shp")
    with pytest.raises(UsageError, match="labelled_pair"):
        load([row], schema="labeled_pair")


def test_the_unrecognised_says_what_was_found() -> None:
    with pytest.raises(InputError) as caught:
        load([{"prompt": "why", "yes": "long answer", "no": "longer answer still"}])
    error = caught.value
    assert error.slug == "unrecognised"
    assert "prompt, yes, no" in (error.found or "")
    assert any(line.startswith("nearest schemas: ") for line in error.details)
    assert "--map prompt=prompt,chosen=no,rejected=yes" in (error.next_step or "")


def test_two_judgements_in_one_row_are_ambiguous() -> None:
    row = {"prompt": "p", "chosen": "x", "rejected": "y"}
    row |= {"instruction": "p", "output_1": "v", "output_2": "w", "preference": 1}
    with pytest.raises(InputError) as caught:
        load([row])
    assert caught.value.slug == "ambiguous_schema"
    assert load([row], schema="alpaca_eval").alternatives["text"].to_list() == ["v", "w"]
    assert load([row], schema="chosen_rejected").alternatives["text"].to_list() == ["x", "y"]


def test_ballots_with_their_traps() -> None:
    rows = [
        {"ranking": ["A", "B", "A", "skipped", ["C", "D"], "overvote", "E"]},
        {"ranking": ["A"]},
    ]
    data = load(rows)
    assert data.alternatives["model"].to_list() == ["A", "B", "C", "D", "E"]
    assert data.choice_members["rank"].to_list() == [0, 1, 2, 2, 3]
    assert data.report.noted == {
        "overvote": 1,
        "repeated_candidate": 1,
        "single_alternative": 1,
        "skipped_rank": 1,
    }
    assert data.mentions.height == 6


def test_an_alternative_at_two_ranks_of_one_list_is_taken_out() -> None:
    data = load([{"prompt": "p", "chosen": ["x", "y", "y "], "rejected": ["x", "z"]}])
    texts = data.alternatives["text"].to_list()
    members = data.choice_members.select("alternative", "rank").rows()
    assert [(texts[a], r) for a, r in members] == [("y", 0), ("z", 1)]
    assert data.report.noted == {"contradictory_member": 1, "duplicate_member": 1}


def test_lists_imply_pairs_only_on_request() -> None:
    rows = [
        {"prompt": "p", "answers": [{"answer": t, "rank": r} for t, r in ("a1", "b1", "c2")]},
        {"prompt": "q", "answers": [{"answer": t, "rank": r} for t, r in ("a3", "b2", "c1")]},
    ]
    assert load(rows).comparisons.height == 0
    data = load(rows, expand_choices=True)
    texts = data.alternatives["text"].to_list()
    pairs = [
        (texts[w], texts[l], line)
        for w, l, line in data.comparisons.select("winner", "loser", "line").rows()
    ]
    assert pairs == [("a", "c", 1), ("b", "c", 1), ("b", "a", 2), ("c", "a", 2), ("c", "b", 2)]
    assert data.report.noted["pairs_from_choice_sets"] == 5
    choice = {"case": 1, "alternatives": [{"alt": n} for n in "ABC"], "choice": "B"}
    data = load([choice], expand_choices=True)
    assert data.comparisons.select("winner", "loser").rows() == [(1, 0), (1, 2)]
    partial = {"ranks": {"A": 1, "B": 2, "C": None}}
    assert load([partial], expand_choices=True).comparisons.height == 1


def test_ratings_imply_pairs_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"prompt": p, "response": t, "score": s, "judge": j}
        for p, t, s, j in (
            ("p", "x", 1, "j"),
            ("p", "y", 3, "j"),
            ("p", "z", 3, "j"),
            ("p", "z", 0, "k"),
            ("q", "x", 9, "j"),
        )
    ]
    assert load(rows).comparisons.height == 0
    data = load(rows, ratings_to_pairs=True)
    found = data.comparisons.select("winner", "loser", "outcome", "annotator", "line").rows()
    assert found == [(1, 0, 1.0, 0, 2), (2, 0, 1.0, 0, 3), (1, 2, 0.5, 0, 3)]
    assert data.report.noted == {"pairs_from_ratings": 3}
    monkeypatch.setattr(implied, "MAX_IMPLIED", 2)
    with pytest.raises(UsageError, match="would make 3 pairs"):
        load(rows, ratings_to_pairs=True)


def test_a_key_whose_digits_were_lost_is_refused() -> None:
    body = b'{"left": 1234567890123456789012345, "right": "b", "winner": "b"}'
    with pytest.raises(InputError, match="number_too_big"):
        read(["-"], stdin=io.BytesIO(body))


def test_transcripts_without_a_common_opening_are_told() -> None:
    good = "\n\nHuman: p\n\nAssistant: "
    rows = [{"chosen": good + "x", "rejected": good + "y"}] * 2
    rows += [{"chosen": good + "x", "rejected": "\n\nHuman: q\n\nAssistant: y"}]
    data = load(rows)
    assert data.report.noted == {"duplicate_row": 1, "no_prompt": 1, "no_shared_prompt": 1}
    assert data.prompts["text"].to_list() == ["p", None]


def test_transcripts_that_part_early_are_cut_at_the_last_common_opening() -> None:
    start = "\n\nHuman: p\n\nAssistant: m"
    row = {
        "chosen": f"{start}\n\nHuman: q\n\nAssistant: x",
        "rejected": f"{start}\n\nHuman: r\n\nAssistant: y",
    }
    data = load([row])
    assert data.prompts["text"].to_list() == ["p"]
    assert data.alternatives["text"].to_list() == [
        "m\n\nHuman: q\n\nAssistant: x",
        "m\n\nHuman: r\n\nAssistant: y",
    ]
    llama = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    data = load([{"chosen": f"q{llama}x", "rejected": f"q{llama}y"}])
    assert data.alternatives["text"].to_list() == ["x", "y"]


def test_conversations_are_cut_before_their_last_turn() -> None:
    ask = {"role": "user", "content": "p"}
    answer = {"role": "assistant", "content": [{"type": "text", "text": "x"}]}
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}
    data = load([{"chosen": [ask, answer], "rejected": [ask, call]}])
    assert data.prompts["text"].to_list() == ["p"]
    assert data.alternatives["text"].to_list() == ["x", '[{"name": "f"}]']
    with pytest.raises(InputError, match="identical_pair"):
        load([{"chosen": [ask, answer], "rejected": [ask, answer]}])
