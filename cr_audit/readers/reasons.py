"""Every reason for which a row is skipped, and every remark on a row that is kept: one line each.

``docs/schemas.md`` is made of these, and a test gives an input for each.
"""

from __future__ import annotations

SKIPPED: dict[str, str] = {
    "missing_label": "no judgement was made (null, empty, `nan`, `N/A`, or what the source "
    "documents "
    "as not judged): data, not damage",
    "unknown_label": "a label that does not say which side won; it never becomes a tie",
    "ambiguous_label": "a word for one side that is the name of the other",
    "ambiguous_ranking": "a list of numbers that may be ranks or an order",
    "identical_pair": "nothing tells the two sides apart: text, model and key",
    "invalid_json": "a line that is not JSON",
    "nested_too_deeply": "a line that is nested too deeply",
    "not_an_object": "a row that is no object with fields, or a field that should be one",
    "wrong_number_of_cells": "a record with more or fewer cells than the header",
    "missing_text": "null or NaN where a response is needed",
    "missing_response": "neither text nor name of a response",
    "not_a_text": "a value that cannot be a text",
    "not_a_message": "a message without role or content",
    "unreadable_list": "a cell that begins like a list of messages and is none",
    "not_a_number": "a score or rank that is no number",
    "number_too_big": "a number too big for 64 bits has lost digits; as a name or a text it must "
    "stand in quotes",
    "unknown_order": "an order of presentation other than AB or BA",
    "not_a_list": "no list where one is needed",
    "empty_list": "a list without entries",
    "not_parallel": "lists that belong together differ in length",
    "not_an_order": "a list that does not name every response once",
    "not_two_scores": "a list of scores that are not two",
}
NOTED: dict[str, str] = {
    "no_prompt": "the row has no prompt: it stands under one prompt with all such rows. The remark "
    "names the texts of the row that were not used; `--map prompt=FIELD` makes one the prompt",
    "prompt_part_missing": "the prompt's own field is empty: its other parts, or its key, "
    "stand for it",
    "unused_text": "the same prompt stands beside other words in a field that plays no role: it "
    "may belong to the prompt (`--map input=FIELD`)",
    "no_shared_prompt": "whole conversations that do not begin alike are kept whole",
    "prompt_from_prefix": "the prompt is what two bare texts begin with",
    "structured_prompt": "a prompt of unknown structure is its JSON",
    "no_text": "a prompt or response of nothing but pictures, sound or films",
    "tie": "no side won",
    "empty_answer": "a response without any visible character",
    "duplicate_row": "the same alternatives, outcome, annotator and order as in an earlier row, or "
    "the same list again",
    "duplicate_rating": "the same score of one alternative, aspect and annotator again",
    "contradictory_row": "the same annotator (or none is known) let each side win",
    "both_orders": "the same annotator (or none is known) saw the pair in both orders",
    "rating_contradicts": "the chosen response has the lower rating",
    "invisible_difference": "two responses to one prompt differ only in characters that cannot be "
    "seen",
    "lookalike_difference": "two responses to one prompt differ only in characters that look alike",
    "vowel_mark_difference": "two responses to one prompt differ only in vowel marks (Arabic, "
    "Hebrew, Syriac), which are written or left out at will: they are near-copies",
    "prompt_looks_alike": "the prompt differs from another one only in characters that cannot be "
    "seen, or that look alike: they count as two",
    "model_looks_alike": "the name of a model differs from another one only in characters that "
    "cannot be seen, or that look alike: they count as two",
    "annotator_looks_alike": "the name of an annotator differs from an earlier one only in such "
    "characters: they count as one (counted are names)",
    "null_word": "a response is nothing but a word by which tables write that nothing is there "
    "(`nan`, `null`, `None`, `N/A`): it is kept",
    "missing_label": "one of several labels in the row is missing",
    "unknown_label": "one of several labels in the row is not understood",
    "soft_label": "a preference between two values was rounded to the nearer side",
    "weights_unused": "a field is called as weights are, and every row counts alike all the same: "
    "`--row-weights FIELD` makes it count",
    "zero_weight": "a weight of 0: the responses are known, the judgement has no mass",
    "names_shown": "an arena vote that was not anonymous (`anony` is false)",
    "left_out_by_source": "an arena vote that the source leaves out of its ranking (`dedup_tag`)",
    "later_turns_left_out": "turns after the judged one (`turn`) are no part of the answers",
    "duplicate_key": "the row gives a field twice: the last value counts",
    "shared_line": "another row stands on the same line",
    "lone_surrogate": "half of a surrogate pair was replaced by U+FFFD",
    "non_string_text": "a number, boolean or date stands for a text and was written out",
    "token_ids": "a response given as token ids is known by them, not by text",
    "models_unknown": "the field that names both models could not be split in two",
    "single_alternative": "a list with fewer than two alternatives: they are known, but it is no "
    "choice set",
    "duplicate_member": "the same alternative twice in a list at one rank: kept once",
    "contradictory_member": "the same alternative twice in a list at two ranks: taken out",
    "not_ranked": "a null rank",
    "skipped_rank": "a place on a ballot that names nobody",
    "repeated_candidate": "a name that comes again on a ballot",
    "overvote": "several names at one place of a ballot: a tied rank",
    "pairs_from_choice_sets": "comparisons added by `--expand-choices`",
    "pairs_from_ratings": "comparisons added by `--ratings-to-pairs`",
    "text_joined": "alternatives named in one file that found their text in another",
    "ambiguous_text": "alternatives named in one file with two candidates in another: left alone",
}
