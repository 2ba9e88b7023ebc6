"""docs/schemas.md, sentence by sentence: each is a promise, and each promise has its tests.

A sentence without a test, and a test that is not there, fail here.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from reader_cases import CASES

from cr_audit.readers import SCHEMAS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TABLES = "test_the_documentation_is_made_of_the_tables"
"""What lists the tables' own names: the page is made of the tables, which other tests try."""

PROMISES: dict[str, str] = {
    "What `cr-audit` reads by itself": "test_a_schema_is_recognised_and_read",
    "A file's schema is detected from its first 200 rows": "test_a_schema_is_recognised_and_read "
    "test_fields_that_come_late_are_used",
    "`--schema NAME` forces one": "test_a_schema_can_be_named",
    "`--map ROLE=FIELD,…` says which field": "test_mappings",
    "Every role that it *needs* must find a field": "test_another_spelling_of_a_name_is_the_name "
    "test_a_prompt_is_found_or_told",
    "`a.b` is field `b` inside field `a`": "test_all_parts_of_a_prompt_count "
    "test_a_prompt_is_found_or_told",
    "Sides are bound in pairs": "test_sides_are_numbered_from_nought_or_from_one",
    "Two fields whose names differ in nothing but": "test_a_layout_is_what_it_is",
    "Fields it needs besides must be there": "test_a_schema_needs_what_it_says",
    "Some entries also look at the values": "test_a_schema_is_recognised_and_read",
    "At least half of the sampled rows must parse": "test_half_of_the_rows_must_parse",
    "A row whose label is explicitly missing counts": "test_missing_labels_are_skipped_but_stop_"
    "nothing",
    "The schema that explains most fields wins": "test_a_label_goes_before_scores",
    "Generic schemas count only where no specific": "test_a_schema_is_recognised_and_read",
    "If two schemas find two judgements": "test_two_judgements_in_one_row_are_ambiguous "
    "test_two_judgements_that_contradict_each_other_are_no_one_judgement "
    "test_the_unrecognised_says_what_was_found",
    "Fields whose names do not say which of two": "test_a_list_of_two_answers_is_not_taken_for_a_"
    "pair test_every_map_that_is_advised_reads_every_row",
    "Fields that first appear in a later row": "test_fields_that_come_late_are_used",
    "Roles in a mapping that name sides": "test_mappings",
    "A mapping of context alone": "test_mappings",
    "Candidate fields are separated by `/`": TABLES,
    '"needs" lists role': TABLES,
    "JSONL, JSON (an array": "test_every_container_gives_the_same_data test_json_in_its_forms "
    "test_a_file_of_another_make_is_the_same_rows",
    "The suffix decides unless": "test_the_suffix_counts_and_the_content_may_refute_it",
    "`--container` (": "test_the_suffix_counts_and_the_content_may_refute_it",
    "Columns may be separated by": "test_a_table_gives_what_json_lines_give",
    "Cells that hold lists of messages": "test_message_lists_in_cells_are_messages "
    "test_messages_in_a_cell_are_messages",
    "JSONL and CSV are streamed": "test_a_zstd_bomb_is_read_in_small_steps "
    "test_a_row_across_blocks_stops_before_it_is_whole",
    "JSON and Parquet are read whole": "test_a_json_document_is_bounded "
    "test_a_parquet_file_reads_the_same_in_slices",
    "UTF-8 only": "test_an_unreadable_file_is_told_once test_a_table_gives_what_json_lines_give",
    "Lines may end in CR, LF or both": "test_lines_that_end_in_returns_and_shared_lines_lose_"
    "no_row",
    "`line` is the physical line": "test_lines_are_those_of_the_file",
    "Blank lines are no rows": "test_lines_are_those_of_the_file",
    "A JSONL row that is not valid JSON": "test_bad_rows_are_skipped_with_their_lines "
    "test_an_unreadable_file_is_told_once",
    "Messages of flat trees": "test_annotation_tools_and_flat_trees",
    "Rows of nothing but lists of one length": "test_a_layout_is_what_it_is",
    "Beside a schema's own candidates": "test_a_documented_name_of_a_prompt_is_found "
    "test_a_prompt_that_is_null_or_renamed_is_told_or_found",
    "A name that ends in prompt, question": "test_a_prompt_is_found_or_told "
    "test_what_only_sounds_like_a_prompt_is_none",
    "All of system, context, tools": "test_all_parts_of_a_prompt_count "
    "test_what_stands_beside_a_question_is_part_of_it",
    "A row without any has the remark": "test_a_row_is_kept_with_its_remark",
    "prompt: `": "test_a_documented_name_of_a_prompt_is_found",
    "system: `": "test_a_documented_name_of_a_prompt_is_found",
    "context: `": "test_a_documented_name_of_a_prompt_is_found",
    "tools: `": "test_a_documented_name_of_a_prompt_is_found",
    "options: `": "test_a_documented_name_of_a_prompt_is_found",
    "input: `": "test_a_documented_name_of_a_prompt_is_found",
    "Columns of pictures, sound and films": "test_a_documented_name_of_a_medium_is_found "
    "test_pictures_inside_messages_and_bytes_count",
    "Whole conversations in both sides": "test_shared_first_turns_follow_the_prompt "
    "test_conversations_are_cut_before_their_last_turn",
    "Written-out conversations are read by": "test_the_markers_of_a_template_are_no_content "
    "test_a_template_is_no_content test_the_end_of_a_turn_is_no_content",
    "Bare texts that begin alike": "test_bare_texts_are_cut_where_they_part "
    "test_pairs_that_share_nothing_say_that_no_prompt_was_found",
    "One user turn is rendered as its text": "test_shared_first_turns_follow_the_prompt",
    "Tool calls (name and arguments": "test_what_a_turn_does_is_part_of_the_answer "
    "test_one_call_in_two_spellings_is_one_call test_a_call_as_text_is_the_same_call",
    "A prompt is its text, or its key": "test_a_schema_is_recognised_and_read",
    "Without either there is one global prompt": "test_a_schema_is_recognised_and_read",
    "An alternative is its prompt": "test_two_models_with_one_text_are_two_alternatives",
    "An id of the *response*": "test_exact_clones_stay_apart test_mapped_ids_and_ratings",
    "In data without text a response": "test_a_schema_is_recognised_and_read",
    "Invisible and look-alike characters are kept": "test_answers_that_look_alike_are_told",
    "A response that is named by its model alone": "test_a_name_finds_its_text_where_there_is_one",
    "Keys are taken as they are": "test_keys_are_taken_as_they_are",
    "Files whose keys mean different things": "test_keys_are_taken_as_they_are",
    "Words that mean the same everywhere": "test_words_that_mean_the_same_everywhere",
    "Left: `": "test_a_documented_word_is_understood",
    "Right: `": "test_a_documented_word_is_understood",
    "Ties: `": "test_a_documented_word_is_understood",
    "Phrases around one side's name": "test_words_that_mean_the_same_everywhere "
    "test_a_label_is_understood",
    "A label may also repeat the name": "test_a_model_may_be_called_like_a_side "
    "test_sides_are_numbered_from_nought_or_from_one",
    "A bare `0` is not known": "test_a_bare_zero_is_never_guessed "
    "test_a_few_zeros_among_ones_are_not_skipped",
    "The read stops, whatever `--max-skipped`": "test_labels_that_do_not_say_it_are_refused_with_"
    "advice_that_works test_an_odd_word_may_be_any_of_four_things",
    "Say what a value is with `left_label`": "test_a_word_that_is_left_out_of_the_mapping_is_"
    "unknown test_an_odd_word_may_be_any_of_four_things",
    "Anything else is `unknown_label`": "test_a_row_is_skipped_for_its_reason",
    "A skipped row has one reason": "test_a_row_is_skipped_for_its_reason",
    "`missing_label` is counted among": "test_missing_labels_are_skipped_but_stop_nothing",
    "All other reasons count towards": "test_the_stop_is_beyond_the_share_not_at_it",
    "`--expand-choices` adds the strict pairs": "test_lists_imply_pairs_only_on_request",
    "This assumes the independence": "test_lists_imply_pairs_only_on_request",
    "`--ratings-to-pairs` pairs the ratings": "test_ratings_imply_pairs_only_on_request",
    "`annotator`, `annotator_2`": "test_mappings_of_real_roles",
    "`model`, `key` and `weight` are short": "test_mapped_ids_and_ratings "
    "test_a_weight_counts_where_it_is_asked_for",
}
"""How a sentence begins -> the tests that hold it."""


def sentences() -> list[str]:
    """The prose of the page, without its tables, in order."""
    text = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    out: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        if block.strip().startswith(("#", "<!--", "|")):
            continue
        for item in re.split(r"\n(?=\s*(?:-|\d+\.)\s)", block.strip()):
            line = " ".join(re.sub(r"^\s*(?:-|\d+\.)\s+", "", item).split())
            out += re.split(r'(?<=[.!?;])\s+(?=[A-Z`\["])', line)
    return out


@cache
def names_of_tests() -> frozenset[str]:
    """The names of all tests of readers and data."""
    found: set[str] = set()
    for folder in (HERE, HERE.parent / "data"):
        for path in folder.glob("test_*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    return frozenset(found)


def test_every_sentence_has_a_test() -> None:
    for sentence in sentences():
        held = [start for start in PROMISES if sentence.startswith(start)]
        assert len(held) == 1, sentence
        for name in PROMISES[held[0]].split():
            assert name in names_of_tests(), f"{sentence}: {name}"


def test_no_promise_is_left_of_a_sentence_that_is_gone() -> None:
    said = sentences()
    assert [p for p in PROMISES if not any(s.startswith(p) for s in said)] == []


@pytest.mark.parametrize("name", sorted(set(CASES) & set(SCHEMAS)))
def test_a_row_becomes_what_its_line_says(name: str) -> None:
    """Comparisons, choice sets and ratings of the examples are those of the table's last column."""
    becomes = SCHEMAS[name].becomes
    made = Counter(
        kind
        for case in CASES[name]
        for kind, n in (
            ("comparison", case.comparisons),
            ("choice set", case.sets),
            ("rating", case.ratings),
        )
        if n
    )
    said = {kind for kind in ("comparison", "choice set", "rating") if kind in becomes}
    assert made.keys() <= said
    assert made.keys() & said
    if re.match(r"one (comparison|ranked choice set|choice set)\b(?!.* per )", becomes):
        assert all(case.comparisons + case.sets == 1 for case in CASES[name])


@pytest.mark.parametrize("name", sorted(set(CASES) & set(SCHEMAS)))
def test_a_schema_needs_what_it_says(name: str, tmp_path: Path) -> None:
    """Without a field that it needs, a row is not of a schema; nor with one that it rules out."""
    import json

    from cr_audit.errors import CrAuditError
    from cr_audit.readers import read

    schema, row = SCHEMAS[name], CASES[name][0].row
    path = tmp_path / "rows.jsonl"

    def schema_of(value: dict[str, object]) -> str | None:
        path.write_text(json.dumps(value), encoding="utf-8")
        try:
            return read([str(path)]).report.schemas[0].name
        except CrAuditError:
            return None

    assert schema_of(row) == name
    for field in schema.also:
        assert schema_of({k: v for k, v in row.items() if k != field}) != name, field
    for field in schema.without[:3]:
        assert schema_of({**row, field: "some other words"}) != name, field


def test_half_of_the_rows_must_parse(tmp_path: Path) -> None:
    import json

    from cr_audit.errors import InputError
    from cr_audit.readers import read

    good = {"prompt": "p", "chosen": "x", "rejected": "y"}
    bad = {**good, "chosen": {"a": {"b": 1}}}
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, [good, bad])))
    assert read([str(path)], max_skipped=0.5).report.schemas[0].confidence == 0.5
    path.write_text("\n".join(map(json.dumps, [good, bad, bad])))
    with pytest.raises(InputError) as caught:
        read([str(path)], max_skipped=1.0)
    assert caught.value.slug == "unrecognised"


def test_a_name_finds_its_text_where_there_is_one(tmp_path: Path) -> None:
    import json

    from cr_audit.readers import read

    vote = {"session_id": "s", "judge": "j", "model_1": "A", "model_2": "B", "winner": "model_1"}
    paths = [tmp_path / "ids.jsonl", tmp_path / "texts.jsonl"]
    for path, row in zip(paths, (vote, {**vote, "output_1": "x", "output_2": "y"}), strict=True):
        path.write_text(json.dumps(row))
    data = read([str(p) for p in paths])
    assert data.n_alternatives == 2
    assert data.report.noted["text_joined"] == 2
    twice = [{**vote, "output_1": x, "output_2": "y"} for x in ("x", "z")]
    paths[1].write_text("\n".join(map(json.dumps, twice)))
    data = read([str(p) for p in paths])
    assert data.report.noted["ambiguous_text"] == 1
    assert data.n_alternatives == 4


def test_keys_are_taken_as_they_are(tmp_path: Path) -> None:
    """One key in two files is one prompt; read apart, each file has its own."""
    import json

    from cr_audit.readers import read

    row = {"case": 1, "alternatives": [{"alt": "car"}, {"alt": "bus"}], "choice": "car"}
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        path.write_text(json.dumps(row))
    assert read([str(p) for p in paths]).n_prompts == 1
    assert [read([str(p)]).n_prompts for p in paths] == [1, 1]
