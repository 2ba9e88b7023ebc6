"""The table of schemas: which fields make a row what, one entry each over a few shapes.

A schema is recognised by the fields it needs; where several fit, the one that explains more fields
wins, and a generic one only if no specific one fits. ``docs/schemas.md`` is tested against this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from cr_audit.readers import lists, pairs, ratings, threads
from cr_audit.readers.fields import Binding, Row, unpacked
from cr_audit.readers.parsing import messages_in
from cr_audit.readers.records import BadRow
from cr_audit.readers.transcripts import has_marker, is_messages, shared_prefix

Shape = Callable[[Binding], pairs.Parser]


@dataclass(frozen=True, slots=True)
class Schema:
    """name; what it is seen in; what a row becomes; roles -> candidate fields, best first.

    needs : roles without which a row is not of this schema. also : fields that must be there but
    carry no role. without : fields that must not be there. test : looks at the sampled rows.
    generic : considered only where no specific schema fits. prompting : whether a row's prompt
    stands in columns of its own, so that the names of ``PROMPTS`` are looked for too.
    """

    name: str
    seen_in: str
    becomes: str
    shape: Shape
    roles: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    test: Callable[[Sequence[Row]], bool] | None = None
    generic: bool = False
    prompting: bool = True

    @property
    def by_name(self) -> bool:
        """Whether the alternatives are known by names, so that one global prompt is natural."""
        texts = {"left", "chosen", "text", "items", "ordered", "left_key"}
        return not texts & set(self.needs) or self.shape is lists.named_choice

    @property
    def judges(self) -> bool:
        """Whether rows hold comparisons or choices (not only ratings)."""
        return self.shape not in (
            ratings.rated_response,
            ratings.thumbs,
            ratings.last_turn,
            lists.rated_completions,
        ) and not (self.shape is lists.parallel and "item_scores" in self.needs)


def _roles(text: str) -> dict[str, tuple[str, ...]]:
    """ "prompt=question|query left=a" -> {"prompt": ("question", "query"), "left": ("a",)}."""
    return {r: tuple(f.split("|")) for r, _, f in (p.partition("=") for p in text.split())}


def _any(rows: Sequence[Row], test: Callable[[Row], bool]) -> bool:
    return any(test(row) for row in rows)


def _sides_of(row: Row) -> tuple[Any, Any]:
    try:
        return messages_in(row.get("chosen")), messages_in(row.get("rejected"))
    except BadRow:
        return None, None


def _list_in(value: Any) -> list[Any] | None:
    """The list that a value is, or holds as text."""
    try:
        value = unpacked(value)
    except BadRow:
        return None
    return value if isinstance(value, list) else None


def _lists_of_text(rows: Sequence[Row]) -> bool:
    def both(row: Row) -> bool:
        return all(
            isinstance(v, list) and v and all(isinstance(t, str) for t in v)
            for v in (_list_in(row.get("chosen")), _list_in(row.get("rejected")))
        )

    return _any(rows, both)


def _message_lists(rows: Sequence[Row]) -> bool:
    return _any(rows, lambda r: is_messages(_sides_of(r)[0]))


def _transcripts(rows: Sequence[Row]) -> bool:
    def marked(row: Row) -> bool:
        return all(isinstance(v, str) and has_marker(v) for v in _sides_of(row))

    return _any(rows, marked)


SHARING = 0.95
"""Share of the sampled pairs of bare texts that must begin alike before that is their prompt."""


def begins_alike(rows: Sequence[Row]) -> bool:
    """Whether pairs without a prompt, as bare texts, share their beginnings throughout."""
    if _transcripts(rows):
        return False
    found = []
    for row in rows:
        left, right = _sides_of(row)
        if isinstance(left, str) and isinstance(right, str):
            found.append(shared_prefix(left, right) > 0)
    return bool(found) and sum(found) >= SHARING * len(found)


def _ranked_responses(rows: Sequence[Row]) -> bool:
    return _parallel_lists(rows) and _any(
        rows, lambda r: any(k in r for k in ("ranks", "rank", "ranking", "rankings"))
    )


def _submitted(rows: Sequence[Row]) -> bool:
    """Whether a field holds what annotators submitted: beside their names, or as objects with a
    value and who gave it."""

    def answers(value: Any) -> bool:
        value = _list_in(value)
        return bool(value) and all(
            isinstance(v, dict) and "value" in v and not v.keys().isdisjoint(("user_id", "status"))
            for v in value or ()
        )

    def fits(row: Row) -> bool:
        if any(isinstance(k, str) and k.endswith(".responses") for k in row):
            return True
        inner = row.get("responses")
        held = [*row.values(), *(inner.values() if isinstance(inner, dict) else ())]
        return any(map(answers, held))

    return _any(rows, fits)


def _never(rows: Sequence[Row]) -> bool:
    """Only by ``--schema`` or ``--map``."""
    return False


def _parallel_lists(rows: Sequence[Row]) -> bool:
    """Whether a row holds two lists of equal length, one of them of plain values."""

    def fits(row: Row) -> bool:
        found = [v for v in map(_list_in, row.values()) if v is not None and len(v) > 1]
        plain = [v for v in found if not any(isinstance(e, dict | list) for e in v)]
        return any(len(a) == len(b) and a is not b for a in found for b in plain)

    return _any(rows, fits)


def _two_scores(rows: Sequence[Row]) -> bool:
    return _any(rows, lambda r: len(_list_in(r.get("score")) or ()) == 2)


PROMPTS: dict[str, tuple[str, ...]] = _roles(
    "prompt=prompt|instruction|question|query|problem|task|post|request|user_prompt|user_query|"
    "user_question|user_input|user_message|user_request|user_instruction|prompt_text|input_text|"
    "input_prompt|full_prompt|raw_prompt|original_prompt|formatted_prompt|system_user_prompt|"
    "prompt_messages|conversation|conversations|messages|dialogue|dialog|chat|thread|turns|"
    "history|context|input|inputs|input.messages|problem_statement|question_text|query_text|"
    "instruction_text|instructions|questions|query_string|search_query|ask|human|user|q|stem|goal|"
    "scenario|situation|utterance|statement|caption|source_text|passage|article|document|"
    "paragraph|post_text|selftext|body|contents|conv|user_msg|user_text|user_turn|puzzle|riddle|"
    "exercise|topic|title|text "
    "system=system|system_prompt|system_message|system_instruction "
    "context=context|contexts|passage|article|document|background|premise|paragraph|history|"
    "chat_history|dialogue_history|dialog_history|conversation_history|previous_turns|"
    "reference_text|knowledge|evidence|passages|documents "
    "tools=tools|functions|available_tools|tool_definitions|function_definitions "
    "options=options|answer_choices|answer_options|choices "
    "input=input|inputs|user_input|input_text"
)
"""Where a prompt may stand, best first: what is looked for beside a schema's own candidates. All
of system, context, tools, options and input that are found are part of the prompt."""
_HELPSTEER = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
_MAYBE = "prompt_key=prompt_id|question_id annotator=annotator|annotator_id|worker|judge|user_id"
_PAIR = (
    "prompt=prompt|instruction|question|query|context|messages|conversation|post "
    "system=system|system_prompt prompt_key=prompt_id|question_id|conversation_id|session_id "
    "annotator=annotator|annotator_id|annotator_index|worker|worker_id|judge|rater|rater_id|"
    "reviewer|labeler|labeller|evaluator|user_id "
    "mass=weight|sample_weight|mass tie_flag=is_tie|tie anony=anony dedup_tag=dedup_tag "
)
_SIDES = (
    "left=response_a|response_1|response1|answer_a|answer_1|answer1|output_1|output_a|output1|"
    "completion_a|completion_1|completion1|text_a|text1|left_text|left_response|response_left|"
    "summary_a|summary_1|generation_a|generation_1|candidate_a|candidate_1|reply_a|reply_1|"
    "assistant_a|conversation_a|conversation_1|messages_a|messages_1|option_a|translation_a|image_a|"
    "response_0|answer_0|completion_0|output_0|image_0|jpg_0|a|left "
    "right=response_b|response_2|response2|answer_b|answer_2|answer2|output_2|output_b|output2|"
    "completion_b|completion_2|completion2|text_b|text2|right_text|right_response|response_right|"
    "summary_b|summary_2|generation_b|generation_2|candidate_b|candidate_2|reply_b|reply_2|"
    "assistant_b|conversation_b|conversation_2|messages_b|messages_2|option_b|translation_b|image_b|"
    "response_1|answer_1|completion_1|output_1|image_1|jpg_1|b|right "
    "left_model=model_a|model_1|left_model|model1|response_a_model|response_1_model "
    "right_model=model_b|model_2|right_model|model2|response_b_model|response_2_model "
)
_LABEL = (
    "label=winner|label|preference|preferred|choice|vote|verdict|decision|preferred_response|"
    "preference_label|human_preference|overall_preference|better|judgment|judgement|annotation|"
    "rating_label|result|outcome|selected|gold_label|pairwise|which_is_better|which_better|"
    "better_response|better_answer|preferred_answer|preferred_output|preferred_side|"
    "preferred_model|winning_response|winning_side|winning_model|selected_response|human_label|"
    "human_choice|human_vote|human_winner|user_choice|user_vote|user_preference|annotator_choice|"
    "annotator_label|judge_verdict|final_verdict|final_decision|final_choice|final_label|"
    "majority_vote|majority_label|orig_preference|pref|winner_label "
)
_PAIR_SCORES = (
    "left_score=score_a|score_1|score_0|rating_a|rating_1|label_0 "
    "right_score=score_b|score_2|score_1|rating_b|rating_2|label_1 "
)
_SIDE_TEXTS = " ".join(
    dict.fromkeys(
        name
        for part in _SIDES.split()
        for role, _, names in [part.partition("=")]
        if role in ("left", "right")
        for name in names.split("|")
        if len(name) > 2 and name not in ("left", "right")
    )
)
"""Names of two responses' texts: where they stand, rows are more than names of models."""


def schema_of(
    name: str,
    seen_in: str,
    becomes: str,
    shape: Shape,
    roles: str,
    needs: str,
    **rest: Any,
) -> Schema:
    """A schema, its fields as texts: roles "prompt=question|query left=a", needs "prompt left"."""
    options = rest.pop("options", {})
    for key in ("also", "without"):
        rest[key] = tuple(rest.get(key, "").split())
    return Schema(
        name, seen_in, becomes, shape, _roles(roles), tuple(needs.split()), options=options, **rest
    )


_NO_PROMPTS = " ".join(
    name
    for name in dict.fromkeys(chain(*PROMPTS.values()))
    if name not in ("text", "input.messages")
)
_CR = "chosen=chosen rejected=rejected "
_TAGS = (
    "chosen_model=chosen_model|chosen_model_name rejected_model=rejected_model|rejected_model_name "
    "chosen_score=score_chosen|chosen_score|chosen_rating|rating_chosen|chosen_reward|"
    "reward_chosen|chosen_rm_score|chosen_scores "
    "rejected_score=score_rejected|rejected_score|rejected_rating|rating_rejected|rejected_reward|"
    "reward_rejected|rejected_rm_score|rejected_scores "
    "margin=margin|score_margin|reward_margin "
)
_ITEMS = {
    "item_text": ("text", "answer", "response", "completion", "content", "output", "generation"),
    "item_model": ("model", "model_name", "system", "generator"),
    "item_id": ("id", "response_id", "key", "name", "label"),
}
_SQUALITY = {
    "item_text": ("response",),
    "item_model": ("system",),
    "item_rank": ("overall-rank",),
    "ratings": ("*-rating",),
}

TABLE: tuple[Schema, ...] = (
    schema_of(
        "chosen_rejected",
        "TRL preference (explicit, conversational), OpenRLHF, axolotl, RewardBench, RM-Bench",
        "one comparison; message lists are cut at their last common turn",
        pairs.chosen_rejected,
        f"prompt=prompt|question|query system=system mass=weight tie_flag=is_tie "
        f"{_CR}{_TAGS}{_MAYBE}",
        "prompt chosen rejected",
    ),
    schema_of(
        "chosen_rejected_transcripts",
        "Anthropic hh-rlhf, TRL implicit prompt",
        "one comparison; the prompt is the common prefix up to the last open assistant turn",
        pairs.chosen_rejected,
        f"{_CR}{_TAGS}{_MAYBE} mass=weight",
        "chosen rejected",
        without="prompt instruction question",
        test=_transcripts,
    ),
    schema_of(
        "chosen_rejected_messages",
        "TRL implicit conversational, Skywork, axolotl argilla_chat",
        "one comparison; the prompt is the common turns",
        pairs.chosen_rejected,
        f"{_CR}{_TAGS}{_MAYBE} mass=weight",
        "chosen rejected",
        without="prompt instruction question conversations messages",
        test=_message_lists,
    ),
    schema_of(
        "chosen_rejected_prefix",
        "TRL implicit prompt as bare texts",
        "one comparison; the prompt is what both texts begin with, where nearly all pairs do",
        pairs.chosen_rejected,
        f"{_CR}{_TAGS}{_MAYBE} mass=weight",
        "chosen rejected",
        without=_NO_PROMPTS,
        test=begins_alike,
        options={"bare_prefix": True},
    ),
    schema_of(
        "chosen_rejected_lists",
        "RewardBench 2, RM-Bench items",
        "one choice set of two tied tiers: all chosen at rank 0, all rejected at rank 1",
        pairs.chosen_rejected,
        f"prompt=prompt {_CR}{_MAYBE}",
        "prompt chosen rejected",
        test=_lists_of_text,
    ),
    schema_of(
        "ultrafeedback_binarized",
        "UltraFeedback binarized, Tulu 3 preference mixes",
        "one comparison and the two scores as ratings",
        pairs.chosen_rejected,
        f"prompt=prompt {_CR}{_TAGS}prompt_key=prompt_id",
        "prompt chosen rejected chosen_score rejected_score",
        test=_message_lists,
    ),
    schema_of(
        "alpaca_preference",
        "LLaMA-Factory alpaca, axolotl argilla",
        "one comparison; instruction and input together are the prompt",
        pairs.chosen_rejected,
        "prompt=instruction input=input system=system context=history mass=weight "
        "chosen=chosen|chosen_response rejected=rejected|rejected_response " + _TAGS,
        "prompt chosen rejected",
    ),
    schema_of(
        "icr_preference",
        "axolotl icr, distilabel Orca pairs",
        "one comparison; system and input together are the prompt",
        pairs.chosen_rejected,
        f"prompt=input system=system mass=weight {_CR}{_TAGS}",
        "prompt system chosen rejected",
        without="prompt instruction question messages conversations",
    ),
    schema_of(
        "sharegpt_preference",
        "LLaMA-Factory sharegpt, axolotl chat_template",
        "one comparison under the conversation",
        pairs.chosen_rejected,
        f"prompt=conversations|messages system=system {_CR}",
        "prompt chosen rejected",
        without="prompt",
    ),
    schema_of(
        "together",
        "Together AI preference tuning, OpenAI preference format",
        "one comparison under the messages",
        pairs.chosen_rejected,
        "prompt=input.messages chosen=preferred_output rejected=non_preferred_output",
        "prompt chosen rejected",
    ),
    schema_of(
        "winner_loser",
        "humour pairs (UKP GPPL)",
        "one comparison under one global prompt (or the row's); the ids are the responses' keys",
        pairs.chosen_rejected,
        "prompt=prompt chosen=winner rejected=loser chosen_key=winner_id rejected_key=loser_id "
        "annotator=annotator|worker|user_id",
        "chosen rejected",
    ),
    schema_of(
        "llmfao",
        "llmfao crowd and judge comparisons",
        "one comparison; left was shown first",
        pairs.labelled_pair,
        "prompt=text prompt_key=prompt left=result_x left_model=left right=result_y "
        "right_model=right label=winner annotator=worker",
        "prompt left left_model right right_model label",
        options={"left_first": True},
    ),
    schema_of(
        "ukp_convarg_votes",
        "UKPConvArg1 votes",
        "one comparison per vote; argument ids are the responses' keys",
        pairs.labelled_pair,
        "prompt=title input=stance prompt_key=debate left=a1 right=a2 left_key=arg1_id "
        "right_key=arg2_id label=value annotator=turkID",
        "left right left_key right_key label annotator",
    ),
    schema_of(
        "ukp_convarg_gold",
        "UKPConvArg1 gold pairs",
        "one comparison by the gold label; rows without one are skipped as missing_label",
        pairs.labelled_pair,
        "prompt=title input=stance prompt_key=debate left=a1 right=a2 left_key=arg1_id "
        "right_key=arg2_id label=goldLabel",
        "left right left_key right_key label",
    ),
    schema_of(
        "wmt_comparisons",
        "WMT23 side-by-side MQM, derived pairs",
        "one comparison per rater",
        pairs.labelled_pair,
        "prompt=source left=target_1 right=target_2 left_model=system_1 right_model=system_2 "
        "label=preferred annotator=rater",
        "prompt left right left_model right_model label",
    ),
    schema_of(
        "wmt_ratings",
        "WMT23 side-by-side MQM, segment penalties",
        "one rating, the penalty with its sign changed",
        ratings.rated_response,
        "prompt=source text=target text_model=system score=mqm annotator=rater",
        "prompt text text_model score",
        options={"negate": True},
    ),
    schema_of(
        "wildbench_pairs",
        "WildBench model pairs per judge, with or without text",
        "one comparison per judge",
        pairs.labelled_pair,
        "prompt_key=session_id left=output_1 right=output_2 left_model=model_1 "
        "right_model=model_2 label=winner annotator=judge",
        "prompt_key left_model right_model label annotator",
    ),
    schema_of(
        "wildbench_responses",
        "WildBench scored outputs",
        "one rating per judge",
        ratings.rated_response,
        "prompt_key=session_id text=model_output text_model=generator score=scores",
        "prompt_key text text_model score",
    ),
    schema_of(
        "qlora_ids",
        "QLoRA OA judgements, ids only",
        "one comparison; answer 1 was shown first",
        pairs.labelled_pair,
        "prompt_key=message_id left_model=model_1 right_model=model_2 label=winner "
        "annotator=reviewer",
        "prompt_key left_model right_model label annotator",
        without=_SIDE_TEXTS,
        options={"left_first": True},
    ),
    schema_of(
        "qlora_threeclass",
        "QLoRA Vicuna judgements with a winner",
        "one comparison; answer 1 was shown first",
        pairs.labelled_pair,
        "prompt=question prompt_key=question_id left=answer_1 right=answer_2 left_model=model_1 "
        "right_model=model_2 label=winner annotator=reviewer",
        "prompt left right left_model right_model label annotator",
        options={"left_first": True},
    ),
    schema_of(
        "qlora_scores",
        "QLoRA Vicuna judgements with two scores",
        "one comparison by the higher score; answer 1 was shown first; -1 is a missing label",
        pairs.scored_pair,
        "prompt=question prompt_key=question_id left=answer_1 right=answer_2 left_model=model_1 "
        "right_model=model_2 scores=score annotator=reviewer",
        "prompt left right left_model right_model scores",
        without="winner",
        options={"left_first": True, "no_score": -1.0},
        test=_two_scores,
    ),
    schema_of(
        "pandalm",
        "PandaLM test set",
        "one comparison per annotator; models from cmp_key",
        pairs.pandalm,
        "prompt=instruction input=input left=response1 right=response2 models=cmp_key "
        "label=annotator1",
        "prompt left right label models",
        also="annotator2 annotator3",
        options={
            "words": {"0": 0.5},
            "votes": tuple((f"annotator{i}", f"annotator{i}", None) for i in (1, 2, 3)),
        },
    ),
    schema_of(
        "llmbar_votes",
        "LLMBar evaluator votes in both orders",
        "two comparisons, one per presentation order",
        pairs.labelled_pair,
        "prompt_key=dataset prompt_key_2=idx annotator=evaluator annotator_2=strategy "
        "label=winner_swap_false",
        "prompt_key prompt_key_2 annotator label",
        also="winner_swap_true",
        options={
            "left_name": "output_1",
            "right_name": "output_2",
            "votes": (("winner_swap_false", None, True), ("winner_swap_true", None, False)),
        },
    ),
    schema_of(
        "alpaca_eval",
        "AlpacaEval, AlpacaFarm human preferences",
        "one comparison; a preference between 1 and 2 is rounded, with a note",
        pairs.labelled_pair,
        "prompt=instruction input=input left=output_1 right=output_2 left_model=generator_1 "
        "right_model=generator_2 label=preference annotator=annotator_index|annotator",
        "prompt left right label",
        options={"threshold": True},
    ),
    schema_of(
        "llmbar_instances",
        "LLMBar instances",
        "one comparison by the agreed label",
        pairs.labelled_pair,
        "prompt=input left=output_1 right=output_2 label=label",
        "prompt left right label",
    ),
    schema_of(
        "judgebench_pairs",
        "JudgeBench pairs",
        "one comparison by the objective label; both responses are of one model",
        pairs.labelled_pair,
        "prompt=question prompt_key=pair_id left=response_A right=response_B "
        "left_model=response_model right_model=response_model label=label",
        "prompt left right left_model label",
    ),
    schema_of(
        "judgebench_votes",
        "JudgeBench judge outputs in both orders",
        "one comparison per judge and order; decisions speak of the shown order",
        pairs.labelled_pair,
        "prompt_key=pair_id annotator=judge_name annotator_2=judge_model order=order "
        "label=decision",
        "prompt_key annotator order label",
        options={"left_name": "response_A", "right_name": "response_B", "relative": True},
    ),
    schema_of(
        "arena_conversations",
        "LMArena, Chatbot Arena, MT-bench human judgments",
        "one comparison; the prompt is the common turns; model A was shown first",
        pairs.labelled_pair,
        "prompt_key=question_id left=conversation_a|messages_a right=conversation_b|messages_b "
        "left_model=model_a right_model=model_b label=winner annotator=judge|annotator|user_id "
        "turn=turn tie_flag=is_tie anony=anony dedup_tag=dedup_tag",
        "left right left_model right_model label",
        options={"conversations": True, "left_first": True},
    ),
    schema_of(
        "arena_votes",
        "LMArena votes without text",
        "one comparison of two models under the prompt or its key, or under one global prompt",
        pairs.labelled_pair,
        "prompt_key=question_id left_model=model_a right_model=model_b label=winner "
        "annotator=judge|annotator|user_id tie_flag=is_tie anony=anony dedup_tag=dedup_tag",
        "left_model right_model label",
        without=_SIDE_TEXTS,
        options={"left_first": True},
    ),
    schema_of(
        "lmsys_kaggle",
        "LMSYS 55k (Kaggle)",
        "one comparison from three one-hot columns; model A was shown first",
        pairs.one_hot_pair,
        "prompt=prompt left=response_a right=response_b left_model=model_a right_model=model_b "
        "left_won=winner_model_a right_won=winner_model_b tie_won=winner_tie",
        "left right left_won right_won tie_won",
        options={"left_first": True},
    ),
    schema_of(
        "shp",
        "Stanford Human Preferences (SHP, SHP-2)",
        "one comparison of two comments; labels 1 means A",
        pairs.labelled_pair,
        "prompt=history prompt_key=post_id left=human_ref_A right=human_ref_B "
        "left_key=c_root_id_A right_key=c_root_id_B label=labels",
        "prompt left right label",
        options={"words": {"1": 1.0, "0": 0.0}, "exact": True},
    ),
    schema_of(
        "helpsteer3",
        "HelpSteer3 preference",
        "one comparison; negative means response 1, 0 is a tie",
        pairs.labelled_pair,
        "prompt=context left=response1 right=response2 label=overall_preference",
        "prompt left right label",
        options={"sign": "negative"},
    ),
    schema_of(
        "helpsteer2_preference",
        "HelpSteer2 preference",
        "one comparison; a negative strength means response 1, 0 is a tie",
        pairs.labelled_pair,
        "prompt=prompt left=response_1 right=response_2 label=preference_strength",
        "prompt left right label",
        options={"sign": "negative"},
    ),
    schema_of(
        "pku_saferlhf",
        "PKU-SafeRLHF",
        "one comparison by the better response; which one is safer is left out",
        pairs.labelled_pair,
        "prompt=prompt left=response_0 right=response_1 label=better_response_id",
        "prompt left right label",
        options={"words": {"0": 1.0, "1": 0.0}, "exact": True},
    ),
    schema_of(
        "argilla_responses",
        "Argilla exports of a label or ranking question, flat or as records",
        "one comparison per submitted response, each by its annotator",
        pairs.submitted_responses,
        "prompt=instruction|prompt|question|query|input|context "
        "left=response1|response_1|response_a|response-1|answer_a|answer_1|completion_a|output_1 "
        "right=response2|response_2|response_b|response-2|answer_b|answer_2|completion_b|output_2 "
        "label=preference.responses|label.responses|choice.responses|ranking.responses|"
        "responses.preference|responses.label|responses.choice|responses.ranking|"
        "preference|ranking|choice|label|better "
        "annotator=preference.responses.users|label.responses.users|choice.responses.users|"
        "ranking.responses.users "
        "status=preference.responses.status|label.responses.status|choice.responses.status|"
        "ranking.responses.status",
        "prompt left right label",
        test=_submitted,
    ),
    schema_of(
        "label_studio",
        "Label Studio exports (JSON) of a pairwise or choices control",
        "one comparison per annotation that was not cancelled, each by its annotator",
        pairs.annotated_tasks,
        "prompt=data.prompt|data.question|data.instruction|data.query|data.input|data.context "
        "left=data.answer1|data.answer_1|data.response1|data.response_1|data.response_a|"
        "data.answer_a|data.text1|data.text_1|data.text_a|data.output_1|data.output_a|"
        "data.option_a|data.option1|data.completion_a|data.completion_1|data.left "
        "right=data.answer2|data.answer_2|data.response2|data.response_2|"
        "data.response_b|data.answer_b|data.text2|data.text_2|data.text_b|data.output_2|"
        "data.output_b|data.option_b|data.option2|data.completion_b|data.completion_2|"
        "data.right "
        "label=annotations",
        "left right label",
    ),
    schema_of(
        "helpsteer2",
        "HelpSteer, HelpSteer2",
        "one rating per aspect",
        ratings.rated_response,
        "prompt=prompt text=response score=helpfulness",
        "prompt text score",
        also="correctness coherence complexity verbosity",
        options={"aspects": _HELPSTEER[1:]},
    ),
    schema_of(
        "webgpt",
        "webgpt_comparisons",
        "one comparison by the higher score, equal scores are a tie",
        pairs.scored_pair,
        "prompt=question.full_text|question left=answer_0 right=answer_1 left_score=score_0 "
        "right_score=score_1",
        "prompt left right left_score right_score",
    ),
    schema_of(
        "summarize_feedback",
        "summarize_from_feedback comparisons",
        "one comparison of the two summaries; policies are the models",
        pairs.picked_summary,
        "prompt=info.post|info.article prompt_key=info.id items=summaries label=choice "
        "annotator=worker",
        "items label",
    ),
    schema_of(
        "lm_human_preferences",
        "lm-human-preferences",
        "one choice set; token ids are kept as keys, not as text",
        lists.sampled,
        "prompt=query label=best",
        "prompt label",
        also="sample0 sample1",
        options={"samples": [f"sample{i}" for i in range(10)]},
    ),
    schema_of(
        "nectar",
        "Nectar, axolotl zephyr.nectar",
        "one ranked choice set",
        lists.ranked_list,
        "prompt=prompt|question items=answers",
        "prompt items",
        options={"item_text": ("answer", "text"), "item_model": ("model",), "item_rank": ("rank",)},
    ),
    schema_of(
        "nemo_rl",
        "NeMo-RL preference format",
        "one ranked choice set under the context, and the rewards as ratings",
        lists.ranked_list,
        "prompt=context items=completions",
        "prompt items",
        options={"item_text": ("completion",), "item_rank": ("rank",), "ratings": ("reward",)},
    ),
    schema_of(
        "ultrafeedback",
        "UltraFeedback raw",
        "one rating per completion and aspect",
        lists.rated_completions,
        "prompt=instruction items=completions models=models",
        "prompt items",
    ),
    schema_of(
        "distilabel",
        "distilabel UltraFeedback tasks",
        "one rating per generation",
        lists.parallel,
        "prompt=instruction|prompt items=generations|responses models=generation_models|models "
        "item_scores=ratings|scores|generation_scores",
        "prompt items item_scores",
        without="chosen rejected",
        options=_ITEMS,
        test=_parallel_lists,
    ),
    schema_of(
        "ranked_responses",
        "rows with a list of responses beside a list of their ranks",
        "one ranked choice set; a ranking that may be read in two ways is refused",
        lists.parallel,
        _PAIR + "items=responses|generations|completions|answers|outputs|candidates "
        "models=models|generation_models item_ranks=ranks|rank ranking=ranking|rankings",
        "items",
        options=_ITEMS,
        test=_ranked_responses,
    ),
    schema_of(
        "oasst_ranked_sets",
        "OpenAssistant sibling replies",
        "one ranked choice set; message ids are the responses' keys",
        lists.ranked_list,
        "prompt=conversation prompt_key=parent_id items=replies",
        "prompt items",
        options={"item_text": ("text",), "item_key": ("message_id",), "item_rank": ("rank",)},
    ),
    schema_of(
        "oasst_trees",
        "OpenAssistant export",
        "one ranked choice set per prompter message with two or more ranked replies",
        threads.tree,
        "tree=prompt",
        "tree",
        also="message_tree_id tree_state",
        prompting=False,
    ),
    schema_of(
        "squality",
        "SQuALITY human evaluation",
        "one ranked choice set of summaries, and their ratings per aspect",
        lists.ranked_list,
        "prompt_key=passage-id prompt_key_2=question annotator=worker_id items=responses",
        "prompt_key prompt_key_2 annotator items",
        options=_SQUALITY,
    ),
    schema_of(
        "prism",
        "PRISM conversations",
        "one choice set per turn with several models, and every score as a rating",
        threads.chosen_turns,
        "items=conversation_history annotator=user_id",
        "items annotator",
        prompting=False,
    ),
    schema_of(
        "prism_utterances",
        "PRISM utterances, one row per response of a model",
        "one rating per response, by its user",
        ratings.rated_response,
        "prompt=user_prompt text=model_response text_model=model_name score=score "
        "annotator=user_id",
        "prompt text text_model score annotator",
    ),
    schema_of(
        "choice_sets",
        "discrete-choice data: named alternatives with attributes",
        "one choice set; the case is the prompt, the name is the model",
        lists.named_choice,
        "prompt_key=case|obs|situation items=alternatives label=choice annotator=ID|person_id",
        "items label",
        options={"item_name": ("alt", "name", "alternative")},
        prompting=False,
    ),
    schema_of(
        "ballots",
        "ranked-choice elections",
        "one ranked choice set of the candidates that the ballot names",
        lists.ballot,
        "ranking=ranking annotator=ballot|voter|voter_id prompt=prompt mass=weight",
        "ranking",
        without="responses generations completions answers outputs",
    ),
    schema_of(
        "rank_tables",
        "survey rankings: an object name -> rank (Star Wars)",
        "one ranked choice set; null ranks are not ranked",
        lists.rank_table,
        "ranks=ranks annotator=RespondentID|respondent|annotator prompt=prompt mass=weight",
        "ranks",
    ),
    schema_of(
        "kto",
        "TRL unpaired preference, LLaMA-Factory KTO",
        "one rating of 1 or 0, aspect label",
        ratings.thumbs,
        "prompt=prompt|conversations|messages|instruction|question|query|conversation|context|input|"
        "problem|user_prompt text=completion|response|output|answer label=label|kto_tag",
        "prompt text label",
    ),
    schema_of(
        "kto_conversations",
        "LLaMA-Factory sharegpt KTO",
        "one rating of 1 or 0 of the last turn",
        ratings.last_turn,
        "items=conversations|messages label=kto_tag|label",
        "items label",
        prompting=False,
    ),
    schema_of(
        "scored_items",
        "humour items (best-worst scores) and similar",
        "one rating under one global prompt; the id is the response's key",
        ratings.rated_response,
        "text=text text_key=id score=bws_score",
        "text text_key score",
    ),
    schema_of(
        "evalica",
        "evalica CSV: left, right, winner",
        "one comparison of two named items under one global prompt",
        pairs.labelled_pair,
        "left_model=left right_model=right label=winner annotator=annotator|worker mass=weight "
        "tie_flag=is_tie",
        "left_model right_model label",
        without=f"prompt text result_x question instruction query {_SIDE_TEXTS}",
    ),
    schema_of(
        "labelled_pair",
        "any two responses and a label",
        "one comparison; label words as in the common list; two scores beside it are ratings",
        pairs.labelled_pair,
        _PAIR + _SIDES + _PAIR_SCORES + _LABEL,
        "left right label",
        options={"explains": ("left_score", "right_score")},
        generic=True,
    ),
    schema_of(
        "scored_pair",
        "any two responses with two scores",
        "one comparison by the higher score, equal scores are a tie",
        pairs.scored_pair,
        _PAIR + _SIDES + _PAIR_SCORES + "scores=scores",
        "left right left_score right_score",
        generic=True,
    ),
    schema_of(
        "preferred_pair",
        "any preferred and dispreferred response",
        "one comparison",
        pairs.chosen_rejected,
        _PAIR + "chosen=chosen|chosen_response|chosen_text|preferred|preferred_response|better|"
        "better_response|accepted|positive|pos|response_w|winner_text|response_chosen|winning|"
        "good|best|response_j "
        "rejected=rejected|rejected_response|rejected_text|dispreferred|dispreferred_response|"
        "worse|worse_response|refused|negative|neg|response_l|loser_text|response_rejected|losing|"
        "bad|worst|response_k " + _TAGS,
        "chosen rejected",
        generic=True,
    ),
    schema_of(
        "ranked_list",
        "any list of answers with ranks or scores",
        "one ranked choice set",
        lists.ranked_list,
        _PAIR + "items=answers|responses|completions|candidates|outputs",
        "items",
        options={
            "item_text": ("text", "answer", "response", "completion", "content", "output"),
            "item_model": ("model", "model_name", "system", "generator"),
            "item_rank": ("rank", "ranking"),
            "item_score": ("score", "rating", "reward", "pm_score"),
        },
        generic=True,
    ),
    schema_of(
        "parallel_lists",
        "any list of responses beside a list of scores, ranks or an order (--map)",
        "one rating per response, or one ranked choice set",
        lists.parallel,
        _PAIR + "items=responses|generations|completions|answers|outputs|candidates "
        "models=models|generation_models item_scores=ratings|scores|rewards "
        "item_ranks=ranks item_order=order",
        "items",
        options=_ITEMS,
        test=_never,
        generic=True,
    ),
    schema_of(
        "ordered_list",
        "any list of responses that stands best first (--map ordered=FIELD)",
        "one comparison of two responses, or one ranked choice set",
        lists.ordered,
        _PAIR + "ordered=ordered",
        "ordered",
        generic=True,
    ),
    schema_of(
        "rated_response",
        "any single response with a score",
        "one rating",
        ratings.rated_response,
        _PAIR
        + "text=response|completion|output|answer|text text_model=model|generator|system_name "
        "text_key=response_id score=score|rating|reward|scores",
        "text score",
        generic=True,
    ),
)

SCHEMAS: dict[str, Schema] = {schema.name: schema for schema in TABLE}


def register(schema: Schema) -> None:
    """Add a schema. Raises ValueError for a name that is taken."""
    if schema.name in SCHEMAS:
        raise ValueError(f"there is a schema {schema.name!r} already")
    SCHEMAS[schema.name] = schema
