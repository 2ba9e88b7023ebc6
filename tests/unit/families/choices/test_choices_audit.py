"""The court for lists: verdicts, wrong signs, plans, remedies, rankings, and bad lists."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from list_rows import data_of, dichotomy, facts_of, judged_of, logit, nectar

from cr_audit.arrays import Groups, NotApplicable
from cr_audit.families.choices.compute import Judged
from cr_audit.families.choices.compute.lists import lists_of
from cr_audit.families.choices.compute.pairs import MAX_SIZE, reward_of_plan
from cr_audit.families.choices.facts import (
    Method,
    PositionFacts,
    RankingFacts,
    Remedies,
    Resample,
    Scheme,
    Source,
    TestKind,
    Verdict,
)
from cr_audit.families.choices.rules import RULES
from cr_audit.families.choices.show import answer
from cr_audit.models.listwise.held_out import HeldOut
from cr_audit.models.listwise.theory import (
    largest_safe_size,
    population_reward,
    threshold,
    wrong_sign,
)
from cr_audit.readers import read


def found(facts: object) -> set[str]:
    return {f.rule for rule in RULES for f in rule.judge(facts)}


def test_a_planted_dichotomy_is_found_by_the_slope() -> None:
    facts = facts_of(data_of(dichotomy(np.random.default_rng(1), 600, 4, 0.5, 0.6)))
    assert facts.verdict is Verdict.VIOLATED
    slopes = [t for t in facts.tests() if t.kind is TestKind.SLOPE]
    assert len(slopes) == 1
    assert slopes[0].adjusted < 1e-6
    assert slopes[0].low < 0.0 < slopes[0].high or abs(slopes[0].effect) < 0.35
    assert isinstance(facts.held_out, HeldOut)
    assert facts.held_out.gain["nested-logit"] > 2 * facts.held_out.error["nested-logit"]
    assert "CR701" in found(facts)


@pytest.mark.parametrize("first", [0.0, 0.6])
def test_logit_lists_are_not_called_a_violation_with_or_without_a_place(first: float) -> None:
    facts = facts_of(data_of(logit(np.random.default_rng(3), 500, 4, 0.5, first)))
    assert facts.verdict is Verdict.NOT_REJECTED
    positions = facts.positions
    assert isinstance(positions, PositionFacts)
    assert positions.found is (first > 0)
    assert ("CR703" in found(facts)) is (first > 0)
    assert "CR701" not in found(facts)
    if first:
        assert answer(facts)[0].startswith("The place decides")
        assert "place 2" in facts.covariates


def test_the_reward_of_the_wrong_sign_and_its_remedies() -> None:
    """70 % want what is offered three times of four: [IIA] section 6 as a team's own lists."""
    rng = np.random.default_rng(4)
    n = 500
    kinds = np.tile([0, 0, 0, 1], (n, 1))
    kinds = rng.permuted(kinds, axis=1)
    wants = (rng.random(n) >= 0.65).astype(int)
    chosen = np.where(kinds == wants[:, None], rng.random((n, 4)), -1).argmax(axis=1)
    facts = facts_of(data_of(nectar(kinds, chosen, ("informative", "concise"))))
    (pair,) = facts.groupings[0].pairs
    assert (pair.first, pair.second) == ("informative", "concise")
    by_hand = wrong_sign(np.full(n, 3), np.full(n, 1), 1.0 - wants, np.ones(n))
    assert pair.rho_data == by_hand.rho_data == 0.75
    assert pair.rho_chosen.value == pytest.approx(by_hand.rho_chosen)
    assert pair.fires
    assert pair.sure
    assert pair.psi > 0
    assert facts.groupings[0].categories[0].name == "concise"
    assert "CR702" in found(facts)
    # Every list offers the same proportion: nothing could tell IIA from a dichotomy.
    assert facts.verdict is Verdict.CANNOT_TELL
    remedies = facts.remedies
    assert isinstance(remedies, Remedies)
    orders = {m.method: m.order for m in remedies.methods if not m.reason}
    for wrong in (Method.LISTS, Method.ALL_PAIRS, Method.WEIGHTED_PAIRS):
        assert orders[wrong] == ("concise", "informative")
    for right in (Method.BALANCED_PAIRS, Method.CLONE_WEIGHTED):
        assert orders[right] == ("informative", "concise")
    assert remedies.recommended is Method.BALANCED_PAIRS
    assert remedies.because == "agrees-better"
    share = 1 - wants.mean()
    agreement = {m.method: m.agreement for m in remedies.methods}
    assert agreement[Method.BALANCED_PAIRS] == pytest.approx(share)
    assert agreement[Method.LISTS] == pytest.approx(1 - share)
    rows = {m.method: m.n_rows for m in remedies.methods}
    assert rows[Method.ALL_PAIRS] == 3 * n
    assert rows[Method.LISTS] == rows[Method.ONE_PAIR] == n


def test_a_plan_from_pairs_is_the_dichotomy_of_the_paper() -> None:
    """Pairs at ζ = 0.8 and p* = 0.6: lists of 4 turn the order, pairs and (just) threes do not."""
    rng = np.random.default_rng(5)
    kinds = (rng.random((6000, 2)) >= 0.8).astype(int)
    wants = (rng.random(6000) >= 0.6).astype(int)
    good = kinds == wants[:, None]
    good[~good.any(axis=1)] = True
    chosen = np.where(good, rng.random((6000, 2)), -1).argmax(axis=1)
    rows = []
    for i, (pair, c) in enumerate(zip(kinds, chosen, strict=True)):
        rows.append(
            {
                "prompt": f"q{i}",
                "response_a": f"{i} a",
                "response_b": f"{i} b",
                "model_a": ("one", "two")[pair[0]],
                "model_b": ("one", "two")[pair[1]],
                "winner": ("model_a", "model_b")[c],
            }
        )
    facts = facts_of(data_of(rows), plan=4)
    assert facts.verdict is Verdict.CANNOT_TELL
    assert facts.lists.n_long == 0
    assert {"CR709", "CR704"} <= found(facts)
    assert "pairs cannot show" in " ".join(answer(facts))
    (planned,) = facts.groupings[0].planned
    assert planned.assumed == "dichotomy"
    assert planned.zeta == pytest.approx(0.8, abs=0.02)
    assert planned.liked.value == pytest.approx(0.6, abs=0.04)
    assert planned.liked.low < planned.liked.value < planned.liked.high
    exact = population_reward(planned.zeta, 4, planned.liked.value)
    assert planned.psi.value == pytest.approx(exact, abs=2e-3)
    assert planned.turns
    assert planned.largest_safe == 2


def test_a_plan_with_a_measured_slope_of_one_never_turns() -> None:
    draws = np.array([[0.4, 1.0]])
    for size in (2, 4, 16):
        psi = reward_of_plan(draws, 0.9, size)
        assert psi[0] == pytest.approx(-0.4, abs=1e-9)
    # Slope 0 is the paper's dichotomy.
    odds = np.array([[math.log(0.6 / 0.4), 0.0]])
    assert reward_of_plan(odds, 0.8, 5)[0] == pytest.approx(population_reward(0.8, 5, 0.6))
    assert largest_safe_size(0.8, 0.6) == 2


def test_thresholds_are_those_of_the_data() -> None:
    facts = facts_of(data_of(dichotomy(np.random.default_rng(6), 300, 5, 0.7, 0.6)))
    (pair,) = facts.groupings[0].pairs
    ((size, n, value),) = pair.thresholds
    assert (size, n) == (5, pair.n_lists)
    assert value == pytest.approx(threshold(pair.zeta, 5))
    assert pair.zeta == pytest.approx(0.7, abs=0.05)


def test_bad_lists_are_counted_with_their_places() -> None:
    rows = [
        {"prompt": "a", "answers": [{"answer": "x", "rank": 1}]},
        {"prompt": "b", "answers": [{"answer": "x", "rank": 1}, {"answer": "x", "rank": 1}]},
        {"prompt": "c", "answers": []},
        {"prompt": "d", "answers": [{"answer": "x", "rank": "best"}, {"answer": "y", "rank": 2}]},
        {"prompt": "e", "answers": [{"answer": "x", "rank": None}, {"answer": "y", "rank": None}]},
        {"prompt": "f", "answers": [{"answer": "x", "rank": 1}, {"answer": "y", "rank": 1}]},
        {"prompt": "g", "answers": [{"answer": "x", "rank": 1}, {"answer": "y", "rank": 2}]},
    ]
    facts = facts_of(data_of(rows))
    counted = {p.reason: (p.n, p.places) for p in facts.lists.problems}
    assert counted["single_alternative"] == (2, ("-:1", "-:2"))
    assert counted["duplicate_member"][1] == ("-:2",)
    assert counted["empty_list"][1] == ("-:3",)
    assert counted["not_a_number"][1] == ("-:4",)
    assert counted["missing_label"][1] == ("-:5",)
    assert facts.lists.n_all_tied == 1
    assert facts.lists.n == 1
    assert {"CR707", "CR708"} <= found(facts)


def test_ballots_offer_every_candidate_and_overvotes_are_counted() -> None:
    rows = [
        {"ballot": i, "ranking": list(order)}
        for i, order in enumerate(["abc", "bac", "ab", "cb", "acb"] * 12)
    ]
    rows.append({"ballot": 99, "ranking": [["a", "b"], "c"]})
    rows.append({"ballot": 100, "ranking": []})
    facts = facts_of(data_of(rows, schema="ballots"))
    assert facts.lists.sizes == ((3, 61),)
    assert {p.reason for p in facts.lists.problems} == {"empty_list", "overvote"}
    ranking = facts.ranking
    assert isinstance(ranking, RankingFacts)
    assert ranking.ties == "davidson-luce"
    assert {i.name for i in ranking.items} == {"a", "b", "c"}
    assert isinstance(facts.positions, NotApplicable)


def test_best_and_rest_ratings_and_outside_options() -> None:
    best = [
        {"prompt": f"q{i}", "chosen": ["good " * 3, f"fine {i}"], "rejected": [f"bad {i} " * 9]}
        for i in range(30)
    ]
    facts = facts_of(data_of(best))
    assert facts.lists.n_several == 30
    assert facts.lists.orders[0][0] is Source.RANKING
    assert isinstance(facts.positions, NotApplicable)
    assert "chosen member first" in facts.positions.reason
    rated = [
        {
            "instruction": f"q{i}",
            "models": ["m", "n", "o"],
            "completions": [
                {"response": f"{i}{m}", "annotations": {"helpfulness": {"Rating": str(r)}}}
                for m, r in (("m", 5), ("n", 3), ("o", 1 + i % 5))
            ],
        }
        for i in range(20)
    ]
    facts = facts_of(data_of(rated))
    ((source, n, by),) = facts.lists.orders
    assert (source, n, by) == (Source.RATINGS, 20, "helpfulness")
    assert isinstance(facts.ranking, RankingFacts)
    assert facts.ranking.items[0].name == "m"
    offered = [
        {
            "case": i,
            "alternatives": [{"alt": "x"}, {"alt": "y"}, {"alt": "None of these"}],
            "choice": ["x", "y", "None of these"][i % 3],
        }
        for i in range(30)
    ]
    facts = facts_of(data_of(offered))
    assert (facts.lists.n_outside_offered, facts.lists.n_outside_chosen) == (30, 10)
    assert "None of these" in {c.name for c in facts.groupings[0].categories}


def test_fields_of_members_are_kinds_and_columns(tmp_path: Path) -> None:
    """A field that no reader keeps: read again from the file, matched by name."""
    rng = np.random.default_rng(7)
    rows = []
    for i in range(300):
        price = rng.normal(size=3)
        style = rng.integers(0, 2, 3)
        utility = -1.0 * price + 0.8 * style + rng.gumbel(size=3)
        rows.append(
            {
                "case": i,
                "alternatives": [
                    {"alt": f"a{j}", "price": float(price[j]), "style": "xy"[style[j]]}
                    for j in range(3)
                ],
                "choice": f"a{int(utility.argmax())}",
            }
        )
    path = tmp_path / "lists.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    data = read([str(path)])
    facts = facts_of(data, category="style", covariates="yes")
    (group,) = facts.groupings
    assert group.scheme is Scheme.FIELD
    assert [c.name for c in group.categories] == ["y", "x"]
    assert facts.covariates == ("price",)
    assert facts.verdict is Verdict.NOT_REJECTED
    unknown = facts_of(data, category="colour")
    assert unknown.no_grouping is not None
    assert unknown.groupings == ()
    from_pipe = facts_of(data_of(rows), category="style")
    assert from_pipe.no_grouping is not None
    assert "standard input" in from_pipe.no_grouping.reason


def test_clones_share_a_weight_in_the_ranking() -> None:
    """Copies of one answer split its votes; sharing a weight gives them back."""
    rng = np.random.default_rng(8)
    names = ["rival", "copy 1", "copy 2", "copy 3"]
    rows = []
    for i in range(400):
        first = "rival" if rng.random() < 0.45 else names[1 + int(rng.integers(3))]
        ranks = {name: 1 if name == first else 2 for name in names}
        answers = [{"answer": f"{n} {i}", "model": n, "rank": ranks[n]} for n in names]
        rows.append({"prompt": f"q{i}", "answers": answers})
    data = data_of(rows)
    models = data.alternatives["model"].to_list()
    prompts = data.alternatives["prompt"].to_numpy().astype(np.int64)
    copies = np.array([m != "rival" for m in models])
    labels = np.where(copies, prompts, prompts.max() + 1 + np.arange(copies.size))
    clones = Groups(labels=labels.astype(np.int64), n_groups=int(labels.max()) + 1)
    facts = facts_of(data, clones=clones)
    ranking = facts.ranking
    assert isinstance(ranking, RankingFacts)
    assert ranking.clone_weights == 400
    assert ranking.items[0].name == "rival"
    rival = next(i for i in ranking.items if i.name == "rival")
    copy = next(i for i in ranking.items if i.name == "copy 1")
    won = [a["model"] for r in rows for a in r["answers"] if a["rank"] == 1]
    expected = math.log(won.count("rival") / won.count("copy 1"))
    assert rival.reward - copy.reward == pytest.approx(expected, abs=1e-6)
    gap = copy.clone_weighted - rival.clone_weighted
    assert gap == pytest.approx(copy.reward - rival.reward + math.log(3), abs=1e-6)
    schemes = {g.scheme: g for g in facts.groupings}
    assert schemes[Scheme.CLONES].n_shared_lists == 400


def test_errors_are_over_annotators_where_there_are_many() -> None:
    rows = [
        {
            "ID": i % 25,
            "case": i,
            "alternatives": [{"alt": "x"}, {"alt": "y"}],
            "choice": "xy"[i % 2],
        }
        for i in range(100)
    ]
    data = data_of(rows)
    assert lists_of(data).resample is Resample.ANNOTATOR


def test_the_same_seed_gives_the_same_facts() -> None:
    data = data_of(dichotomy(np.random.default_rng(10), 80, 4, 0.6, 0.6))
    assert repr(facts_of(data, plan=5)) == repr(facts_of(data, plan=5))


def test_the_order_of_rows_leaves_no_trace_in_the_tests() -> None:
    rows = dichotomy(np.random.default_rng(11), 200, 4, 0.6, 0.6)
    one, two = (judged_of(data_of(r)) for r in (rows, rows[::-1]))

    def effects(judged: Judged) -> list[tuple[str, float]]:
        return [(t.subject, round(t.effect, 6)) for t in judged.made]

    assert effects(one) == effects(two)


def test_a_data_set_without_lists_says_so() -> None:
    facts = facts_of(data_of([{"prompt": "q", "response": "x", "score": 3.0}]))
    assert facts.lists.n == 0
    assert facts.verdict is Verdict.CANNOT_TELL
    assert "no list" in answer(facts)[0]
    assert MAX_SIZE >= 8


@pytest.mark.parametrize(
    ("name", "verdict"),
    [("travel_modechoice", Verdict.VIOLATED), ("swissmetro", Verdict.VIOLATED)],
)
def test_classic_sets_are_judged_right(open_data: Path, name: str, verdict: Verdict) -> None:
    path = open_data / "choice_sets" / f"{name}.shared.jsonl.gz"
    judged = judged_of(read([str(path)], max_skipped=1.0))
    assert judged.verdict(0.01) is verdict
    if name == "swissmetro":
        nests = {t.subject: t for t in judged.made if t.kind is TestKind.NESTED}
        assert 0.3 < nests["TRAIN + CAR"].effect < 0.5


def test_the_negative_control_of_mode_canada(open_data: Path) -> None:
    """Dropping air moves the rest; dropping the few bus riders does not."""
    path = open_data / "choice_sets" / "mode_canada.shared.jsonl.gz"
    judged = judged_of(read([str(path)], max_skipped=1.0))
    dropped = {t.subject: t for t in judged.made if t.kind is TestKind.HAUSMAN}
    assert dropped["air"].adjusted < 1e-6
    assert dropped["bus"].adjusted > 0.05
    assert judged.verdict(0.01) is Verdict.VIOLATED
