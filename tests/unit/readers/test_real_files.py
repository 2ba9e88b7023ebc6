"""The real data sets, read as they lie there; counts as their SOURCE.md states them.

Where a count differs from SOURCE.md the reason stands beside it.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError
from cr_audit.readers import read


class Known(NamedTuple):
    schema: str
    rows: int
    prompts: int
    alternatives: int
    comparisons: int = 0
    ties: int = 0
    sets: int = 0
    ratings: int = 0
    annotators: int = 0
    models: int = 0
    skipped: dict[str, int] = {}  # noqa: RUF012 - a NamedTuple's default, never changed


FILES: dict[str, Known] = {
    "hh_rlhf_harmless/harmless_base_test": Known(
        "chosen_rejected_transcripts", 1717, 1716, 3434, 1717
    ),
    "llmfao/crowd_comparisons": Known(
        "llmfao", 6223, 9, 519, 6223, 2508, annotators=124, models=59
    ),
    "llmfao/gpt3_comparisons": Known("llmfao", 2177, 13, 762, 2177, 189, annotators=1, models=70),
    "llmfao/gpt4_comparisons": Known("llmfao", 2177, 13, 762, 2177, 64, annotators=1, models=70),
    "ukp_convarg/pairs_gold": Known(
        "ukp_convarg_gold", 11288, 22, 712, 10744, 2179, skipped={"missing_label": 544}
    ),
    "ukp_convarg/votes": Known("ukp_convarg_votes", 56315, 22, 712, 56315, 12609, annotators=3741),
    "humour_pairs/pairs": Known("winner_loser", 100846, 1, 3797, 100846),
    "humour_pairs/items": Known("scored_items", 3797, 1, 3797, ratings=3797),
    "wmt23_sxs_mqm/comparisons_ende": Known(
        "wmt_comparisons", 8052, 61, 610, 8052, 1884, annotators=10, models=10
    ),
    "wmt23_sxs_mqm/comparisons_zhen": Known(
        "wmt_comparisons", 42795, 317, 3170, 42795, 13284, annotators=8, models=10
    ),
    "wmt23_sxs_mqm/ratings_ende": Known(
        "wmt_ratings", 1830, 61, 610, ratings=1830, annotators=10, models=10
    ),
    "wmt23_sxs_mqm/ratings_zhen": Known(
        "wmt_ratings", 9510, 317, 3170, ratings=9510, annotators=8, models=10
    ),
    "wildbench_scores/pairs_ids_only": Known(
        "wildbench_pairs", 95266, 735, 11010, 95266, 28638, annotators=3, models=15
    ),
    "wildbench_scores/pairs_llama3_family_text": Known(
        "wildbench_pairs", 3890, 260, 1558, 3890, 1570, annotators=1, models=6
    ),
    "wildbench_scores/responses": Known(
        "wildbench_responses", 11010, 735, 11010, ratings=21282, annotators=3, models=15
    ),
    "qlora_vicuna_gpt4/oa_threeclass_ids_only": Known(
        "qlora_ids",
        30408,
        724,
        5068,
        29278,
        4220,
        annotators=1,
        models=7,
        skipped={"missing_label": 1130},
    ),
    # 177 ties in SOURCE.md count the 57 rows scored [-1, -1], which are no judgements; three
    # responses stand in such rows only.
    "qlora_vicuna_gpt4/vicuna_relative_gpt35": Known(
        "qlora_scores",
        3850,
        55,
        1977,
        3793,
        120,
        annotators=1,
        models=36,
        skipped={"missing_label": 57},
    ),
    "qlora_vicuna_gpt4/vicuna_threeclass": Known(
        "qlora_threeclass",
        3080,
        55,
        440,
        3074,
        453,
        annotators=1,
        models=8,
        skipped={"missing_label": 6},
    ),
    # Three votes a row; 230 votes of 0. One model gives some prompts two texts: 564, not 547.
    "pandalm_testset/testset_v1": Known(
        "pandalm", 721, 119, 564, 2163, 230, annotators=3, models=5
    ),
    # One row has two identical outputs and falls away with its prompt.
    "llmbar/instances": Known(
        "llmbar_instances", 485, 484, 968, 484, skipped={"identical_pair": 1}
    ),
    # Two votes a row; 82 rows have neither, 55 have one.
    "llmbar/evaluator_votes": Known(
        "llmbar_votes", 20125, 485, 970, 40031, annotators=65, skipped={"missing_label": 82}
    ),
    "judgebench/pairs_gpt-4o-2024-05-13": Known("judgebench_pairs", 350, 350, 700, 350, models=1),
    "judgebench/judge_votes_gpt-4o-2024-05-13": Known(
        "judgebench_votes", 4200, 350, 700, 4200, 44, annotators=6
    ),
    # 3,342 responses of which some have equal texts under one prompt: 3,298 contents.
    "rm_bench/pairs": Known("chosen_rejected", 2202, 557, 3298, 2202),
    "rm_bench/items": Known("chosen_rejected_lists", 558, 557, 3298, sets=558),
    "hhh_alignment/pairs": Known("chosen_rejected", 160, 83, 203, 160),
    "oasst_trees/ranked_sets": Known("oasst_ranked_sets", 145, 145, 446, sets=145),
    "oasst_trees/trees": Known("oasst_trees", 69, 174, 479, sets=145),
    "squality_human_eval/rankings": Known(
        "squality", 210, 70, 210, sets=210, ratings=1890, annotators=4, models=3
    ),
    # 546 and 5,857 ballots name one candidate: no choice set, no annotator of one.
    "elections_rcv/albany": Known("ballots", 7159, 1, 5, sets=6613, annotators=6613, models=5),
    "elections_rcv/portland_2024_d1": Known(
        "ballots", 42871, 1, 17, sets=37014, annotators=37014, models=17
    ),
    "starwars_rankings/rankings": Known(
        "rank_tables", 589, 1, 6, sets=589, annotators=589, models=6
    ),
    "choice_sets/fishing": Known("choice_sets", 1182, 1182, 4728, sets=1182, models=4),
    "choice_sets/heating_cooling_hc": Known("choice_sets", 250, 250, 1750, sets=250, models=7),
    "choice_sets/mode_canada": Known("choice_sets", 3046, 3046, 10929, sets=3046, models=4),
    # Nine rows have no choice; one person made no other.
    "choice_sets/swissmetro": Known(
        "choice_sets",
        7605,
        7596,
        21600,
        sets=7596,
        annotators=844,
        models=3,
        skipped={"missing_label": 9},
    ),
    "choice_sets/travel_modechoice": Known("choice_sets", 210, 210, 840, sets=210, models=4),
}


def path_of(shared_data: Path, name: str) -> str:
    return str(shared_data / f"{name}.shared.jsonl.gz")


def rows_of(shared_data: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(path_of(shared_data, name), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_is_read_as_it_lies_there(name: str, shared_data: Path) -> None:
    data = read([path_of(shared_data, name)])
    assert data.report.schemas[0].confidence == 1.0
    found = Known(
        schema=data.report.schemas[0].name,
        rows=data.report.rows_read,
        prompts=data.n_prompts,
        alternatives=data.n_alternatives,
        comparisons=data.comparisons.height,
        ties=data.n_ties,
        sets=data.choice_sets.height,
        ratings=data.ratings.height,
        annotators=len(data.annotators),
        models=len(data.models()[1]),
        skipped=data.report.skipped_by_reason,
    )
    assert found == FILES[name]
    data.comparison_arrays()
    sets = data.choice_set_arrays()
    assert sets.n == data.choice_sets.height
    assert sets.members.shape[0] == sets.offsets[-1]
    rows = data.mentions["line"].unique()
    assert len(rows) == data.report.rows_read - data.report.rows_skipped


def test_every_shared_file_is_tested(shared_data: Path) -> None:
    there = {
        f"{p.parent.name}/{p.name.removesuffix('.shared.jsonl.gz')}"
        for p in shared_data.glob("*/*.shared.jsonl.gz")
    }
    assert there == set(FILES)


def test_an_aggregate_table_is_refused_with_a_way_on(shared_data: Path) -> None:
    path = str(shared_data / "candy_power_ranking" / "candy-data.csv.gz")
    with pytest.raises(InputError) as caught:
        read([path])
    assert caught.value.slug == "unrecognised"
    assert "text=competitorname,score=winpercent" in str(caught.value)
    data = read([path], mapping={"text": "competitorname", "score": "winpercent"})
    assert (data.n_alternatives, data.ratings.height) == (85, 85)


def winners(data: PreferenceDataset, column: str) -> list[object]:
    values = data.alternatives[column].to_list()
    return [
        "tie" if outcome == 0.5 else values[w]
        for w, outcome in data.comparisons.select("winner", "outcome").rows()
    ]


def test_the_winners_are_those_of_the_rows(shared_data: Path) -> None:
    """The mapping of labels to sides, row by row, against a reading of a few lines each."""
    name = "llmfao/crowd_comparisons"
    truth = [r.get(r["winner"], "tie") for r in rows_of(shared_data, name)]
    assert winners(read([path_of(shared_data, name)]), "model") == truth
    name = "ukp_convarg/votes"
    ids = {"a1": "arg1_id", "a2": "arg2_id"}
    truth = [r.get(ids.get(r["value"], ""), "tie") for r in rows_of(shared_data, name)]
    assert winners(read([path_of(shared_data, name)]), "key") == truth
    name = "qlora_vicuna_gpt4/vicuna_relative_gpt35"
    rows = [r for r in rows_of(shared_data, name) if min(r["score"]) >= 0]
    truth = [
        "tie" if a == b else r["model_1" if a > b else "model_2"]
        for r in rows
        for a, b in [r["score"]]
    ]
    assert winners(read([path_of(shared_data, name)]), "model") == truth


def test_decisions_of_judges_are_relative_to_the_shown_order(shared_data: Path) -> None:
    name = "judgebench/judge_votes_gpt-4o-2024-05-13"
    data = read([path_of(shared_data, name)])
    truth, first = [], []
    for r in rows_of(shared_data, name):
        shown = ["response_A", "response_B"] if r["order"] == "AB" else ["response_B", "response_A"]
        side = {"A>B": 0, "B>A": 1}.get(r["decision"])
        truth.append("tie" if side is None else shown[side])
        first.append(-1 if side is None else int(side == 0))
    assert winners(data, "key") == truth
    found = data.comparisons["winner_first"].to_list()
    assert [f for f, t in zip(found, truth, strict=True) if t != "tie"] == [
        f for f in first if f >= 0
    ]


def test_both_orders_of_the_evaluators(shared_data: Path) -> None:
    name = "llmbar/evaluator_votes"
    data = read([path_of(shared_data, name)])
    truth = Counter()
    for r in rows_of(shared_data, name):
        for field, first in (("winner_swap_false", "1"), ("winner_swap_true", "2")):
            if r[field] is not None:
                truth[f"output_{r[field]}", int(r[field] == first)] += 1
    keys = winners(data, "key")
    assert Counter(zip(keys, data.comparisons["winner_first"].to_list(), strict=True)) == truth
    assert data.report.noted["missing_label"] == 55


def test_contents_of_pandalm(shared_data: Path) -> None:
    contents = {
        (
            r["instruction"],
            r["input"],
            model,
            json.dumps(r[side]).strip('"') if r[side] is True else r[side].strip(),
        )
        for r in rows_of(shared_data, "pandalm_testset/testset_v1")
        for side, model in zip(("response1", "response2"), r["cmp_key"].split("_"), strict=True)
    }
    data = read([path_of(shared_data, "pandalm_testset/testset_v1")])
    assert data.n_alternatives == len(contents) == 564
    assert data.report.noted["non_string_text"] == 6
    assert "true" in data.alternatives["text"].to_list()


def test_pairs_and_items_of_one_set_share_their_alternatives(shared_data: Path) -> None:
    both = read([path_of(shared_data, f"rm_bench/{n}") for n in ("pairs", "items")])
    assert both.n_alternatives == 3298
    humour = read([path_of(shared_data, f"humour_pairs/{n}") for n in ("items", "pairs")])
    assert humour.n_alternatives == 3797
    trees = read([path_of(shared_data, f"oasst_trees/{n}") for n in ("trees", "ranked_sets")])
    assert trees.n_alternatives == 479
    # One set of the trees has a reply without a rank, which the ranked sets leave out.
    assert trees.report.noted["duplicate_row"] == 144


def test_exact_clones_stay_apart(shared_data: Path) -> None:
    data = read([path_of(shared_data, "ukp_convarg/pairs_gold")])
    texts = data.alternatives.group_by("prompt", "text").len()
    assert int((texts["len"] > 1).sum()) > 0
    assert data.alternatives["text"].n_unique() == 703


def test_ranks_of_the_survey(open_data: Path) -> None:
    data = read([path_of(open_data, "starwars_rankings/rankings")])
    ranks = data.choice_members["rank"].to_numpy()
    counts = dict(zip(*np.unique(ranks, return_counts=True), strict=True))
    assert counts == {-1: 1, 0: 589, 1: 589, 2: 589, 3: 589, 4: 589, 5: 588}


def test_ratings_to_pairs_finds_the_pairs_of_the_source(shared_data: Path) -> None:
    """WildBench's own pairs were derived from the scores that stand with the responses."""
    data = read([path_of(shared_data, "wildbench_scores/responses")], ratings_to_pairs=True)
    known = FILES["wildbench_scores/pairs_ids_only"]
    assert (data.comparisons.height, data.n_ties) == (known.comparisons, known.ties)
    assert data.report.noted["pairs_from_ratings"] == known.comparisons
