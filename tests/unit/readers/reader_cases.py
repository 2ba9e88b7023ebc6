"""Invented rows, one or more per schema, and what each must become."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson


class Case(NamedTuple):
    """One row and what it must become."""

    row: dict[str, Any]
    comparisons: int = 1
    sets: int = 0
    ratings: int = 0
    prompt: str | None = "Why?"
    texts: tuple[str | None, ...] = ("good", "bad")
    models: tuple[str | None, ...] | None = None
    keys: tuple[str | None, ...] | None = None
    winner: int | None = 0
    outcome: float = 1.0
    annotators: tuple[str, ...] = ()
    winner_first: int = -1


def say(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


ASK, GOOD, BAD = say("user", "Why?"), say("assistant", "good"), say("assistant", "bad")
AB = ("A", "B")
HH = "\n\nHuman: Why?\n\nAssistant:"

CASES: dict[str, list[Case]] = {
    "chosen_rejected": [
        Case({"prompt": "Why?", "chosen": "good", "rejected": "bad"}),
        Case({"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]}),
        Case({"prompt": "Why?", "chosen": [ASK, GOOD], "rejected": [ASK, BAD], "source": "tulu"}),
        Case(
            {
                "prompt": "Why?",
                "chosen": "good",
                "chosen_model": "A",
                "rejected": "bad",
                "rejected_model": "B",
                "subset": "chat",
                "id": 7,
            },
            models=AB,
        ),
    ],
    "chosen_rejected_transcripts": [
        Case({"chosen": f"{HH} good", "rejected": f"{HH} bad"}),
        Case(
            {
                "chosen": f"{HH} Hm.{HH} good",
                "rejected": f"{HH} Hm.{HH} bad",
            },
            prompt="user: Why?\n\nassistant: Hm.\n\nuser: Why?",
        ),
    ],
    "chosen_rejected_messages": [
        Case({"chosen": [ASK, GOOD], "rejected": [ASK, BAD], "source": "x"}),
        Case(
            {"chosen": [ASK, GOOD, ASK, GOOD], "rejected": [ASK, GOOD, ASK, BAD]},
            prompt="user: Why?\n\nassistant: good\n\nuser: Why?",
        ),
    ],
    "chosen_rejected_lists": [
        Case(
            {"prompt": "Why?", "chosen": ["good", "fine"], "rejected": ["bad"]},
            comparisons=0,
            sets=1,
            texts=("good", "fine", "bad"),
        )
    ],
    "ultrafeedback_binarized": [
        Case(
            {
                "prompt": "Why?",
                "prompt_id": "p",
                "chosen": [ASK, GOOD],
                "rejected": [ASK, BAD],
                "messages": [ASK, GOOD],
                "score_chosen": 8.5,
                "score_rejected": 3,
            },
            ratings=2,
        )
    ],
    "alpaca_preference": [
        Case({"instruction": "Why?", "chosen": "good", "rejected": "bad"}),
        Case(
            {"instruction": "Why?", "input": "This.", "chosen": "good", "rejected": "bad"},
            prompt="Why?\n\nThis.",
        ),
        Case({"instruction": "Why?", "chosen_response": "good", "rejected_response": "bad"}),
    ],
    "chosen_rejected_prefix": [
        Case(
            {"chosen": "Tell me please why? good", "rejected": "Tell me please why? bad"},
            prompt="Tell me please why?",
        )
    ],
    "icr_preference": [
        Case(
            {"system": "Be short.", "input": "Why?", "chosen": "good", "rejected": "bad"},
            prompt="Be short.\n\nWhy?",
        )
    ],
    "sharegpt_preference": [
        Case(
            {
                "conversations": [{"from": "human", "value": "Why?"}],
                "chosen": {"from": "gpt", "value": "good"},
                "rejected": {"from": "gpt", "value": "bad"},
            }
        ),
        Case({"messages": [ASK], "chosen": GOOD, "rejected": BAD}),
    ],
    "together": [
        Case(
            {
                "input": {"messages": [ASK]},
                "preferred_output": [GOOD],
                "non_preferred_output": [BAD],
            }
        )
    ],
    "winner_loser": [
        Case(
            {"winner_id": 3, "loser_id": 4, "winner": "good", "loser": "bad"},
            prompt=None,
            keys=("3", "4"),
        )
    ],
    "llmfao": [
        Case(
            {
                "id": 1,
                "prompt": 5,
                "slug": "s",
                "text": "Why?",
                "model_x": 9,
                "left": "A",
                "result_x": "good",
                "model_y": 8,
                "right": "B",
                "result_y": "bad",
                "worker": 85,
                "winner": "right",
            },
            models=AB,
            winner=1,
            winner_first=0,
            annotators=("85",),
        )
    ],
    "ukp_convarg_votes": [
        Case(
            {
                "debate": "d",
                "title": "Why?",
                "stance": "no",
                "arg1_id": "x",
                "arg2_id": "y",
                "a1": "good",
                "a2": "bad",
                "turkID": "w0",
                "value": "equal",
            },
            prompt="Why?\n\nno",
            keys=("x", "y"),
            outcome=0.5,
            annotators=("w0",),
        )
    ],
    "ukp_convarg_gold": [
        Case(
            {
                "title": "Why?",
                "stance": "no",
                "arg1_id": "x",
                "arg2_id": "y",
                "a1": "good",
                "a2": "bad",
                "goldLabel": "a2",
                "votes": {"a1": 1},
            },
            prompt="Why?\n\nno",
            keys=("x", "y"),
            winner=1,
        )
    ],
    "wmt_comparisons": [
        Case(
            {
                "source": "Why?",
                "rater": "r1",
                "system_1": "A",
                "target_1": "good",
                "mqm_1": 0.0,
                "system_2": "B",
                "target_2": "bad",
                "mqm_2": 5.0,
                "preferred": "1",
            },
            models=AB,
            annotators=("r1",),
        )
    ],
    "wmt_ratings": [
        Case(
            {"source": "Why?", "rater": "r1", "system": "A", "target": "good", "mqm": 5.0},
            comparisons=0,
            ratings=1,
            texts=("good",),
            models=("A",),
            annotators=("r1",),
        )
    ],
    "wildbench_pairs": [
        Case(
            {"session_id": "s", "judge": "j", "model_1": "A", "model_2": "B", "winner": "model_2"},
            prompt=None,
            texts=(None, None),
            models=AB,
            winner=1,
            annotators=("j",),
        ),
        Case(
            {
                "session_id": "s",
                "judge": "j",
                "model_1": "A",
                "model_2": "B",
                "winner": "tie",
                "output_1": "good",
                "output_2": "bad",
            },
            prompt=None,
            models=AB,
            outcome=0.5,
            annotators=("j",),
        ),
    ],
    "wildbench_responses": [
        Case(
            {
                "session_id": "s",
                "generator": "A",
                "scores": {"j": 3, "k": 8},
                "model_output": "good",
            },
            comparisons=0,
            ratings=2,
            prompt=None,
            texts=("good",),
            models=("A",),
            annotators=("j", "k"),
        )
    ],
    "qlora_ids": [
        Case(
            {
                "message_id": "m",
                "model_1": "A",
                "model_2": "B",
                "reviewer": "g",
                "score": 1,
                "winner": "1",
            },
            prompt=None,
            texts=(None, None),
            models=AB,
            annotators=("g",),
            winner_first=1,
        )
    ],
    "qlora_threeclass": [
        Case(
            {
                "question_id": 1,
                "question": "Why?",
                "model_1": "A",
                "answer_1": "good",
                "model_2": "B",
                "answer_2": "bad",
                "reviewer": "g",
                "score": 3,
                "winner": "tie",
            },
            models=AB,
            outcome=0.5,
            annotators=("g",),
            winner_first=1,
        )
    ],
    "qlora_scores": [
        Case(
            {
                "question_id": 1,
                "question": "Why?",
                "model_1": "A",
                "answer_1": "good",
                "model_2": "B",
                "answer_2": "bad",
                "reviewer": "g",
                "score": [6.0, 9.0],
            },
            models=AB,
            winner=1,
            annotators=("g",),
            winner_first=0,
        )
    ],
    "pandalm": [
        Case(
            {
                "idx": 1,
                "cmp_key": "A_B",
                "instruction": "Why?",
                "input": "",
                "response1": "good",
                "response2": "bad",
                "annotator1": 1,
                "annotator2": 0,
                "annotator3": 2,
            },
            comparisons=3,
            models=AB,
            annotators=("annotator1", "annotator2", "annotator3"),
        )
    ],
    "llmbar_votes": [
        Case(
            {
                "dataset": "d",
                "idx": 0,
                "evaluator": "e",
                "strategy": "s",
                "label": 2,
                "winner_swap_false": "1",
                "winner_swap_true": "2",
            },
            comparisons=2,
            prompt=None,
            texts=(None, None),
            keys=("output_1", "output_2"),
            annotators=("e/s",),
            winner_first=1,
        )
    ],
    "alpaca_eval": [
        Case(
            {
                "instruction": "Why?",
                "output_1": "good",
                "generator_1": "A",
                "output_2": "bad",
                "generator_2": "B",
                "preference": 1.9,
                "annotator": "gpt",
            },
            models=AB,
            winner=1,
            annotators=("gpt",),
        )
    ],
    "llmbar_instances": [
        Case({"input": "Why?", "output_1": "good", "output_2": "bad", "label": 2}, winner=1)
    ],
    "judgebench_pairs": [
        Case(
            {
                "pair_id": "p",
                "question": "Why?",
                "response_model": "A",
                "response_A": "good",
                "response_B": "bad",
                "label": "B>A",
            },
            models=("A", "A"),
            winner=1,
        )
    ],
    "judgebench_votes": [
        Case(
            {
                "pair_id": "p",
                "label": "A>B",
                "judge_name": "j",
                "judge_model": "m",
                "order": "BA",
                "decision": "A>B",
                "scores": None,
            },
            prompt=None,
            texts=(None, None),
            keys=("response_A", "response_B"),
            winner=1,
            winner_first=1,
            annotators=("j/m",),
        )
    ],
    "arena_conversations": [
        Case(
            {
                "question_id": "q",
                "model_a": "A",
                "model_b": "B",
                "winner": "tie (bothbad)",
                "conversation_a": [ASK, GOOD],
                "conversation_b": [ASK, BAD],
                "turn": 1,
            },
            models=AB,
            outcome=0.5,
            winner_first=1,
        )
    ],
    "arena_votes": [
        Case(
            {"question_id": "q", "model_a": "A", "model_b": "B", "winner": "model_b"},
            prompt=None,
            texts=(None, None),
            models=AB,
            winner=1,
            winner_first=0,
        )
    ],
    "lmsys_kaggle": [
        Case(
            {
                "id": "1",
                "model_a": "A",
                "model_b": "B",
                "prompt": ["Why?"],
                "response_a": "good",
                "response_b": "bad",
                "winner_model_a": 0,
                "winner_model_b": 1,
                "winner_tie": 0,
            },
            models=AB,
            winner=1,
            winner_first=0,
        )
    ],
    "shp": [
        Case(
            {
                "post_id": "p",
                "history": "Why?",
                "c_root_id_A": "x",
                "c_root_id_B": "y",
                "human_ref_A": "good",
                "human_ref_B": "bad",
                "score_A": 1,
                "score_B": 9,
                "labels": 0,
            },
            keys=("x", "y"),
            winner=1,
        )
    ],
    "helpsteer3": [
        Case(
            {
                "context": [ASK],
                "response1": "good",
                "response2": "bad",
                "overall_preference": -2,
            }
        ),
        Case(
            {"context": "Why?", "response1": "good", "response2": "bad", "overall_preference": 0},
            outcome=0.5,
        ),
    ],
    "helpsteer2_preference": [
        Case(
            {
                "split": "train",
                "prompt": "Why?",
                "response_1": "good",
                "response_2": "bad",
                "preference_strength": 2,
                "preference_statement": "It is.",
            },
            winner=1,
        )
    ],
    "pku_saferlhf": [
        Case(
            {
                "prompt": "Why?",
                "response_0": "good",
                "response_1": "bad",
                "is_response_0_safe": True,
                "better_response_id": 1,
                "safer_response_id": 0,
            },
            winner=1,
        )
    ],
    "argilla_responses": [
        Case(
            {
                "id": "0",
                "status": "completed",
                "instruction": "Why?",
                "response1": "good",
                "response2": "bad",
                "preference.responses": ["response2"],
                "preference.responses.users": ["u"],
                "preference.responses.status": ["submitted"],
            },
            winner=1,
            annotators=("u",),
        )
    ],
    "label_studio": [
        Case(
            {
                "id": 7,
                "data": {"prompt": "Why?", "answer1": "good", "answer2": "bad"},
                "annotations": [
                    {
                        "id": 1,
                        "completed_by": {"id": 3, "email": "u"},
                        "was_cancelled": False,
                        "result": [{"type": "pairwise", "value": {"selected": "right"}}],
                    },
                ],
            },
            winner=1,
            annotators=("u",),
        ),
        Case(
            {
                "id": 8,
                "data": {"question": "Why?", "response_a": "good", "response_b": "bad"},
                "annotations": [
                    {
                        "completed_by": 4,
                        "result": [
                            {"type": "textarea", "value": {"text": ["because"]}},
                            {"type": "choices", "value": {"choices": ["Response A"]}},
                        ],
                    },
                ],
            },
            winner=0,
            annotators=("4",),
        ),
    ],
    "helpsteer2": [
        Case(
            {
                "prompt": "Why?",
                "response": "good",
                "helpfulness": 3,
                "correctness": 4,
                "coherence": 4,
                "complexity": 1,
                "verbosity": 2,
            },
            comparisons=0,
            ratings=5,
            texts=("good",),
        )
    ],
    "webgpt": [
        Case(
            {
                "question": {"full_text": "Why?"},
                "answer_0": "good",
                "answer_1": "bad",
                "score_0": -0.5,
                "score_1": 0.5,
            },
            winner=1,
        )
    ],
    "summarize_feedback": [
        Case(
            {
                "info": {"id": "i", "post": "Why?"},
                "summaries": [{"text": "good", "policy": "A"}, {"text": "bad", "policy": "B"}],
                "choice": 1,
                "worker": "w",
            },
            models=AB,
            winner=1,
            annotators=("w",),
        )
    ],
    "lm_human_preferences": [
        Case(
            {
                "query": [5, 6],
                "sample0": [1, 2],
                "sample1": [3],
                "sample2": [4],
                "sample3": [7],
                "best": 2,
            },
            comparisons=0,
            sets=1,
            prompt=None,
            texts=(None,) * 4,
            keys=("1 2", "3", "4", "7"),
        )
    ],
    "nectar": [
        Case(
            {
                "prompt": f"{HH} ",
                "answers": [
                    {"answer": "good", "model": "A", "rank": 1.0},
                    {"answer": "bad", "model": "B", "rank": 2.0},
                ],
                "turns": 1,
            },
            comparisons=0,
            sets=1,
            models=AB,
        )
    ],
    "nemo_rl": [
        Case(
            {
                "context": [ASK],
                "completions": [
                    {"rank": 0, "completion": [GOOD]},
                    {"rank": 1, "completion": [BAD], "reward": 0.5},
                ],
            },
            comparisons=0,
            sets=1,
            ratings=1,
        )
    ],
    "ultrafeedback": [
        Case(
            {
                "source": "s",
                "instruction": "Why?",
                "models": ["A", "B"],
                "completions": [
                    {"response": "good", "annotations": {"honesty": {"Rating": "5"}}},
                    {"response": "bad", "annotations": {"honesty": {"Rating": "N/A"}}},
                ],
            },
            comparisons=0,
            ratings=1,
            models=AB,
        )
    ],
    "distilabel": [
        Case(
            {
                "instruction": "Why?",
                "generations": ["good", "bad"],
                "generation_models": ["A", "B"],
                "ratings": [5.0, None],
                "rationales": ["x", "y"],
            },
            comparisons=0,
            ratings=1,
            models=AB,
        )
    ],
    "ranked_responses": [
        Case(
            {"prompt": "Why?", "responses": ["good", "bad"], "ranks": [1, 2]},
            comparisons=0,
            sets=1,
        )
    ],
    "oasst_ranked_sets": [
        Case(
            {
                "message_tree_id": "t",
                "parent_id": "p",
                "conversation": [{"role": "prompter", "text": "Why?"}],
                "replies": [
                    {"message_id": "x", "text": "good", "role": "assistant", "rank": 1},
                    {"message_id": "y", "text": "bad", "role": "assistant", "rank": 0},
                ],
            },
            comparisons=0,
            sets=1,
            keys=("x", "y"),
        )
    ],
    "oasst_trees": [
        Case(
            {
                "message_tree_id": "t",
                "tree_state": "ready_for_export",
                "prompt": {
                    "message_id": "t",
                    "text": "Why?",
                    "role": "prompter",
                    "replies": [
                        {"message_id": "x", "text": "good", "role": "assistant", "rank": 0},
                        {"message_id": "y", "text": "bad", "role": "assistant", "rank": 1},
                    ],
                },
            },
            comparisons=0,
            sets=1,
            keys=("x", "y"),
        )
    ],
    "squality": [
        Case(
            {
                "passage-id": "1",
                "question": "0",
                "worker_id": "w",
                "responses": [
                    {"system": "A", "response": "good", "overall-rank": 1, "overall-rating": 9},
                    {"system": "B", "response": "bad", "overall-rank": 2, "overall-rating": 1},
                ],
            },
            comparisons=0,
            sets=1,
            ratings=2,
            prompt=None,
            models=AB,
            annotators=("w",),
        )
    ],
    "prism_utterances": [
        Case(
            {
                "utterance_id": "ut0",
                "interaction_id": "int0",
                "conversation_id": "c",
                "user_id": "u",
                "turn": 0,
                "within_turn_id": 1,
                "user_prompt": "Why?",
                "model_response": "good",
                "model_name": "A",
                "score": 90,
                "if_chosen": True,
            },
            comparisons=0,
            ratings=1,
            texts=("good",),
            models=("A",),
            annotators=("u",),
        )
    ],
    "prism": [
        Case(
            {
                "conversation_id": "c",
                "user_id": "u",
                "conversation_history": [
                    {"turn": 0, "role": "user", "content": "Why?"},
                    {
                        "turn": 0,
                        "role": "model",
                        "content": "good",
                        "model_name": "A",
                        "score": 90,
                        "if_chosen": True,
                    },
                    {
                        "turn": 0,
                        "role": "model",
                        "content": "bad",
                        "model_name": "B",
                        "score": 5,
                        "if_chosen": False,
                    },
                ],
            },
            comparisons=0,
            sets=1,
            ratings=2,
            models=AB,
            annotators=("u",),
        )
    ],
    "choice_sets": [
        Case(
            {
                "case": 1.0,
                "alternatives": [{"alt": "A", "cost": 3}, {"alt": "B", "cost": 4}],
                "choice": "A",
                "income": 3,
            },
            comparisons=0,
            sets=1,
            prompt=None,
            texts=(None, None),
            models=AB,
        )
    ],
    "ballots": [
        Case(
            {"ballot": 0, "ranking": ["A", "B"], "weight": 2.0},
            comparisons=0,
            sets=1,
            prompt=None,
            texts=(None, None),
            models=AB,
            annotators=("0",),
        )
    ],
    "rank_tables": [
        Case(
            {"RespondentID": "9", "ranks": {"A": 1, "B": 2}},
            comparisons=0,
            sets=1,
            prompt=None,
            texts=(None, None),
            models=AB,
            annotators=("9",),
        )
    ],
    "kto": [
        Case(
            {"prompt": "Why?", "completion": "good", "label": True},
            comparisons=0,
            ratings=1,
            texts=("good",),
        )
    ],
    "kto_conversations": [
        Case(
            {"messages": [ASK, GOOD], "label": False},
            comparisons=0,
            ratings=1,
            texts=("good",),
        )
    ],
    "scored_items": [
        Case(
            {"id": 0, "text": "good", "bws_score": 0.1},
            comparisons=0,
            ratings=1,
            prompt=None,
            texts=("good",),
            keys=("0",),
        )
    ],
    "evalica": [
        Case(
            {"left": "A", "right": "B", "winner": "right"},
            prompt=None,
            texts=(None, None),
            models=AB,
            winner=1,
        )
    ],
    "labelled_pair": [
        Case(
            {"query": "Why?", "response_1": "good", "response_2": "bad", "winner": "response_2"},
            winner=1,
        ),
        Case(
            {
                "prompt": "Why?",
                "model_a": "A",
                "response_a": "good",
                "model_b": "B",
                "response_b": "bad",
                "winner": "A",
            },
            models=AB,
        ),
    ],
    "scored_pair": [
        Case(
            {"prompt": "Why?", "output_a": "good", "output_b": "bad", "score_a": 1, "score_b": "2"},
            winner=1,
        )
    ],
    "preferred_pair": [Case({"query": "Why?", "preferred": "good", "dispreferred": "bad"})],
    "ranked_list": [
        Case(
            {
                "question": "Why?",
                "candidates": [{"text": "good", "score": 3}, {"text": "bad", "score": 1}],
            },
            comparisons=0,
            sets=1,
        )
    ],
    "rated_response": [
        Case(
            {"prompt": "Why?", "response": "good", "model": "A", "rating": "4.5"},
            comparisons=0,
            ratings=1,
            texts=("good",),
            models=("A",),
        )
    ],
}

ROWS: dict[str, bytes] = {name: orjson.dumps(cases[0].row) for name, cases in CASES.items()}
FIELDS: list[str] = sorted({field for cases in CASES.values() for c in cases for field in c.row})
