"""Every rule fires where it should, and not on the other side of its boundary."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import numpy as np
import pytest
from cases import DISTINCT, SAMPLES, analysed, audited, judged, labelled, reported, round_robin

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import ClusterVotes, NoiseFloor
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Answer
from cr_audit.cli.explain import known_rules
from cr_audit.clones.votes import Homogeneity
from cr_audit.families.clones.rules import VOTES_LEVEL
from cr_audit.families.comparisons.rules import DOMINANT_SHARE, POSITION_SMALLEST, POSITION_Z
from cr_audit.findings import Finding, Severity

RULES = known_rules()
BY_ID = {r.id: r for r in RULES}

BASE = "the quick brown fox jumps over the lazy dog near the old stone bridge every morning"
NEAR = (BASE, BASE.replace("lazy", "sleepy"))
FAR = BASE.replace("quick brown fox jumps", "slow green toad crawls").replace(
    "lazy dog near the old", "proud cat under a new"
)


def of(findings: tuple[Finding, ...], rule: str) -> list[Finding]:
    return [f for f in findings if f.rule == rule]


def rules_of(rows: list[dict[str, Any]], **options: Any) -> set[str]:
    return {f.rule for f in audited(rows, **options)[1]}


def pair(a: str, b: str, prompt: str = "Why?", **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": a, "rejected": b, **more}


def test_what_a_finding_shows_of_a_text_is_left_out_of_its_brief_and_nothing_else() -> None:
    (near,) = of(audited([pair(*NEAR), pair(NEAR[0], "x")])[1], "CR101")
    assert near.brief == "2 near-identical responses to one prompt"
    assert near.message == f"{near.brief}: “{BASE[:70]}…”" or near.message.startswith(
        f"{near.brief}: “{BASE[:40]}"
    )
    # A name may look like the beginning of a quotation.
    named = BY_ID["CR101"].finding("the model a: “b” leads", "model:1", {})
    assert named.brief == named.message
    quoted = BY_ID["CR101"].finding("the model a: “b” leads", "model:1", {}, quoted=": “c: “d””")
    assert (quoted.brief, quoted.message) == (named.message, named.message + ": “c: “d””")
    # What is put before a message leaves the end where it is.
    assert dataclasses.replace(quoted, message=f"x {quoted.message}").brief == f"x {named.message}"


def test_where_nothing_is_to_be_done_a_scan_has_no_next() -> None:
    lone = [
        {"prompt": "Why is the sky blue?", "completion": "Light is scattered.", "label": True},
        {"prompt": "Name a fruit.", "completion": "An apple is one.", "label": True},
    ]
    titles = [getattr(b, "title", "") for b in reported(lone).blocks()]
    assert "Findings" in titles
    assert "Next" not in titles
    titles = [getattr(b, "title", "") for b in reported([pair(*NEAR)]).blocks()]
    assert "Next" in titles


# --- the table of rules ------------------------------------------------------------------------


def test_rules_have_unique_ids_and_names_and_all_texts() -> None:
    assert len(BY_ID) == len(RULES) == len({r.name for r in RULES})
    assert [r.id for r in RULES] == sorted(r.id for r in RULES)
    for rule in RULES:
        assert rule.id.startswith("CR")
        assert rule.name == rule.name.lower().replace(" ", "-")
        for text in (rule.summary, rule.means, rule.computed, rule.advice):
            assert text.endswith((".", "?", ".)")), (rule.id, text)


def test_findings_take_severity_and_advice_from_their_rule() -> None:
    for rows in ([pair(*NEAR), pair(NEAR[0], "x")], round_robin(DISTINCT[:3])):
        for finding in audited(rows)[1]:
            assert finding.severity == BY_ID[finding.rule].severity
            assert finding.advice == BY_ID[finding.rule].advice


def test_the_most_severe_come_first() -> None:
    order = [Severity.ERROR, Severity.WARNING, Severity.NOTE]
    _, findings = audited(SAMPLES / "clone_robust.jsonl")
    assert findings[0].rule == "CR201"
    places = [order.index(f.severity) for f in findings]
    assert places == sorted(places)


# --- 1xx clones --------------------------------------------------------------------------------


def test_near_clones() -> None:
    _, findings = audited([pair(*NEAR), pair(NEAR[0], DISTINCT[0])])
    (finding,) = of(findings, "CR101")
    assert finding.evidence["n_members"] == 2
    assert finding.evidence["item_share"] == pytest.approx(2 / 3)
    assert 0 < float(finding.evidence["diameter"] or 0) <= 0.4
    assert finding.rows == ("-:1", "-:1")
    assert finding.subject.startswith("cluster:")
    assert "CR101" not in rules_of([pair(BASE, FAR)])


def test_the_radius_is_inclusive_and_decides() -> None:
    analysis = analysed([pair(*NEAR)])
    assert not isinstance(analysis.clones, NotApplicable)
    diameter = next(c.diameter for c in analysis.clones.clusters if c.kind == "near")
    assert "CR101" in rules_of([pair(*NEAR)], radius=diameter)
    # Not just below it: there the noise measures have a say of their own (clones.noise).
    assert "CR101" not in rules_of([pair(*NEAR)], radius=0.02)


def test_exact_clones_need_two_authors() -> None:
    assert "CR102" in rules_of([labelled("Why?", BASE, BASE, ("A", "B"), "tie")])
    assert "CR102" not in rules_of([labelled("Why?", BASE, FAR, ("A", "B"))])
    _, findings = audited([labelled("Why?", BASE, BASE, ("A", "B"), "tie")])
    assert not of(findings, "CR101")


def boilerplate(n: int) -> list[dict[str, Any]]:
    refusal = "I am sorry, but as a language model I cannot help with that request today."
    return [pair(DISTINCT[k], refusal, prompt=f"{DISTINCT[-1 - k]}?") for k in range(n)]


def test_boilerplate_from_three_prompts_on() -> None:
    _, findings = audited(boilerplate(3))
    (finding,) = of(findings, "CR103")
    assert finding.evidence["n_prompts"] == 3
    assert "CR103" not in rules_of(boilerplate(2))


def test_boilerplate_with_small_changes() -> None:
    rows = boilerplate(3)
    rows[0]["rejected"] = rows[0]["rejected"].replace("today", "now")
    (finding,) = of(audited(rows)[1], "CR103")
    assert finding.evidence["n_texts"] == 2
    said = next(b for b in reported(rows).blocks() if isinstance(b, Answer))
    assert "1 answer is repeated across prompts" in " ".join(said.sentences)


def test_prompt_clones() -> None:
    rows = [
        pair(DISTINCT[0], DISTINCT[1], prompt=NEAR[0]),
        pair(DISTINCT[2], DISTINCT[3], prompt=NEAR[1]),
    ]
    (finding,) = of(audited(rows)[1], "CR104")
    assert finding.rows == ()
    assert "item_share" not in finding.evidence
    rows[1]["prompt"] = FAR
    assert "CR104" not in rules_of(rows)


def votes(second_wins: int, n: int = 40) -> list[dict[str, Any]]:
    """The first near-clone wins all of ``n`` against one opponent, the second ``second_wins``."""
    rows = [pair(NEAR[0], DISTINCT[0], annotator=f"r{k}") for k in range(n)]
    for k in range(n):
        sides = (NEAR[1], DISTINCT[0])
        rows.append(pair(*(sides if k < second_wins else sides[::-1]), annotator=f"s{k}"))
    return rows


def test_alike_in_text_not_in_votes() -> None:
    (finding,) = of(audited(votes(0))[1], "CR105")
    assert float(finding.evidence["p_value_holm"] or 0) <= VOTES_LEVEL
    assert "CR105" not in rules_of(votes(40))
    assert "CR105" not in rules_of(votes(38))


def findings_of(analysis: Analysis, p_values: list[float]) -> list[Finding]:
    """CR105 of an analysis whose first cluster was tested with these p-values."""
    results = tuple(
        ClusterVotes(
            0,
            Homogeneity(
                statistic=1.0,
                degrees_of_freedom=1,
                p_value=p,
                method="chi-square",
                members=np.array([0, 1]),
                win_rates=np.array([0.0, 1.0]),
                n_per_member=np.array([5, 5]),
                n_opponents=1,
                n_comparisons=10,
                n_permutations=0,
            ),
        )
        for p in p_values
    )
    return of(judged(dataclasses.replace(analysis, votes=results)), "CR105")


def test_p_values_are_corrected_over_clusters() -> None:
    """Holm: of k p-values the smallest must be at most level / k, the next level / (k - 1)."""
    analysis = analysed([pair(*NEAR), pair(NEAR[0], DISTINCT[0])])
    level = VOTES_LEVEL
    assert len(findings_of(analysis, [level])) == 1
    assert len(findings_of(analysis, [level * 1.01])) == 0
    assert len(findings_of(analysis, [level / 2, 1.0])) == 1
    assert len(findings_of(analysis, [level / 2 * 1.01, 1.0])) == 0
    assert len(findings_of(analysis, [level, level / 2])) == 2
    assert len(findings_of(analysis, [level, level])) == 0  # the smallest fails, so both do
    (finding, _) = findings_of(analysis, [level, level / 2])
    assert finding.evidence["p_value_holm"] == pytest.approx(level)


def test_noise_floor() -> None:
    decided = [labelled("Why?", BASE, BASE, ("A", "B"), "a")]
    (finding,) = of(audited(decided)[1], "CR106")
    assert finding.evidence == {"n_comparisons": 1, "n_decided": 1, "share": 1.0}
    assert "CR106" not in rules_of([labelled("Why?", BASE, BASE, ("A", "B"), "tie")])
    analysis = analysed(decided)
    none = dataclasses.replace(analysis, noise_floor=NoiseFloor(5, 0))
    assert not of(judged(none), "CR106")


# --- 2xx rankings ------------------------------------------------------------------------------


def test_leader_changes_and_ranks_change() -> None:
    analysis, findings = audited(SAMPLES / "clone_robust.jsonl")
    unit = analysis.units[0]
    (leader,) = of(findings, "CR201")
    assert unit.items.names[unit.items.ids.index(leader.subject)] == "atlas-2"
    assert leader.evidence["leader_weighted"] == leader.subject
    assert float(leader.evidence["probability"] or 0) >= 0.9
    (ranks,) = of(findings, "CR202")
    assert ranks.evidence["n_flagged"] == 2


def test_no_rank_changes_in_clean_data_or_without_weights() -> None:
    _, clean = audited(SAMPLES / "clean.jsonl")
    assert not {"CR201", "CR202"} & {f.rule for f in clean}
    for options in ({"model": "none"}, {"weights": "uniform"}):
        _, findings = audited(SAMPLES / "clone_robust.jsonl", **options)
        assert not {"CR201", "CR202"} & {f.rule for f in findings}


def test_a_change_below_the_confidence_level_is_no_finding() -> None:
    analysis = analysed(SAMPLES / "clone_robust.jsonl")
    unit = analysis.units[0]
    assert not isinstance(unit.shift, NotApplicable)
    marks = unit.shift.marks
    none = dataclasses.replace(marks, marked=np.zeros_like(marks.marked))
    shift = dataclasses.replace(unit.shift, marks=none)
    quiet = dataclasses.replace(analysis, units=(dataclasses.replace(unit, shift=shift),))
    assert not {"CR201", "CR202"} & {f.rule for f in judged(quiet)}


# --- 3xx comparisons ---------------------------------------------------------------------------

CIRCLE = [pair(DISTINCT[k], DISTINCT[(k + 1) % 4]) for k in range(4)]


def test_no_unpenalised_fit() -> None:
    (finding,) = of(audited(CIRCLE[:-1])[1], "CR301")
    assert finding.evidence["n_undefeated"] == 1
    assert finding.evidence["n_winless"] == 1
    assert "CR301" not in rules_of(CIRCLE)


def test_disconnected() -> None:
    two = [*CIRCLE, pair(DISTINCT[5], DISTINCT[6])]
    (finding,) = of(audited(two)[1], "CR302")
    assert finding.evidence == {"n_components": 2, "largest_component": 4}
    assert "CR302" not in rules_of([*two, pair(DISTINCT[0], DISTINCT[5])])


@pytest.mark.parametrize(("by_one", "fires"), [(5, True), (4, False), (10, False)])
def test_one_annotator_dominates_from_half_on(by_one: int, fires: bool) -> None:
    """Of ten judgements; a single annotator for all of them is how the data is, no finding."""
    rows = [
        pair(DISTINCT[k % 5], DISTINCT[5 + k % 3], annotator="one" if k < by_one else f"r{k}")
        for k in range(10)
    ]
    _, findings = audited(rows)
    assert bool(of(findings, "CR303")) == fires
    assert DOMINANT_SHARE == 0.5
    if fires:
        assert of(findings, "CR303")[0].subject == "annotator:one"


def shown(first_wins: int, n: int) -> list[dict[str, Any]]:
    """``n`` decided comparisons in the order shown; the first one wins ``first_wins`` of them."""
    return [
        {
            "question": "Why?",
            "model_1": "A",
            "answer_1": DISTINCT[k % 3],
            "model_2": "B",
            "answer_2": DISTINCT[3 + k % 4],
            "reviewer": f"r{k}",
            "score": 1 if k < first_wins else 2,
            "winner": "1" if k < first_wins else "2",
        }
        for k in range(n)
    ]


def test_position_bias() -> None:
    assert of(audited(shown(100, 100))[1], "CR304")
    # Two-sided 99.9 %: |share - 1/2| >= 3.29 * sqrt(1 / (4 n)).
    n = 400
    edge = int(np.ceil(n * (0.5 + POSITION_Z * np.sqrt(0.25 / n))))
    assert of(audited(shown(edge, n))[1], "CR304")
    assert not of(audited(shown(edge - 1, n))[1], "CR304")
    assert of(audited(shown(n - edge, n))[1], "CR304")
    assert POSITION_SMALLEST == 0.02


def test_ties_say_nothing_about_position() -> None:
    rows = [{**row, "winner": "tie", "score": 3} for row in shown(50, 50)]
    assert "CR304" not in rules_of(rows)


# --- 4xx rows ----------------------------------------------------------------------------------

MANY = [pair(DISTINCT[k % 6], DISTINCT[6 + k % 5], annotator=f"r{k}") for k in range(30)]


def test_rows_skipped() -> None:
    rows = [*MANY, {"prompt": "Why?", "chosen": 7, "rejected": None}]
    _, findings = audited(rows, reading={"max_skipped": 1.0})
    (finding,) = of(findings, "CR401")
    assert finding.evidence["n_rows"] == 1
    assert finding.evidence["share"] == pytest.approx(1 / 31)
    assert finding.rows == ("-:31",)
    assert "CR401" not in rules_of(MANY)


def test_contradictory_rows() -> None:
    both = [pair(*sides, annotator="r") for sides in (DISTINCT[:2], DISTINCT[1::-1])]
    assert "CR402" in rules_of(both)
    both[1]["annotator"] = "s"
    assert "CR402" not in rules_of(both)


def test_duplicated_rows() -> None:
    twice = [pair(DISTINCT[0], DISTINCT[1], annotator="r")] * 2
    assert "CR403" in rules_of(twice)
    assert "CR403" not in rules_of([twice[0], {**twice[0], "annotator": "s"}])


def test_chosen_equals_rejected() -> None:
    rows = [*MANY, pair(BASE, f" {BASE}\n")]
    (finding,) = of(audited(rows, reading={"max_skipped": 1.0})[1], "CR404")
    assert finding.rows == ("-:31",)
    assert "CR404" not in rules_of([*MANY, pair(*NEAR)])


def test_empty_answers() -> None:
    assert "CR405" in rules_of([*MANY, pair(BASE, "")])
    assert "CR405" in rules_of([*MANY, pair(BASE, " \n\t")])
    assert "CR405" not in rules_of([*MANY, pair(BASE, ".")])


# --- 5xx the estimate --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caution", "rule"),
    [
        ("collapsed", "CR501"),
        ("space-excludes-data", "CR502"),
        ("equals-uniform", "CR503"),
        ("precision-not-reached", "CR504"),
    ],
)
def test_each_caution_is_a_finding(caution: str, rule: str) -> None:
    analysis = analysed(round_robin(DISTINCT[:4]), weights="voronoi")
    assert not isinstance(analysis.weights, NotApplicable)
    for cautions in ((caution,), ()):
        weights = dataclasses.replace(analysis.weights, cautions=cautions)
        findings = judged(dataclasses.replace(analysis, weights=weights))
        found = [f.rule for f in findings if f.rule.startswith("CR5")]
        assert found == ([rule] if cautions else [])


def test_a_space_that_excludes_the_data() -> None:
    """Unit vectors have negative coordinates; the unit cube has none."""
    rules = rules_of(round_robin(DISTINCT[:6]), weights="voronoi", space="unit-cube")
    assert "CR502" in rules
    assert "CR502" not in rules_of(round_robin(DISTINCT[:6]), weights="voronoi", space="sphere")


def test_two_alternatives_get_uniform_weights() -> None:
    """Of weights that are sampled; the default leaves data alone that holds no clones."""
    assert "CR503" in rules_of([pair(BASE, FAR)], weights="voronoi")
    assert "CR503" not in rules_of([pair(BASE, FAR)])
    assert "CR503" not in rules_of([pair(BASE, FAR)], weights="uniform")


# --- fingerprints ------------------------------------------------------------------------------


def test_fingerprints_are_stable_under_reordered_rows() -> None:
    lines = (SAMPLES / "clone_robust.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    shuffled = rows[:]
    random.Random(2).shuffle(shuffled)
    first, second = ({f.fingerprint for f in audited(r)[1]} for r in (rows, shuffled))
    assert first == second


def test_fingerprints_tell_findings_apart() -> None:
    rows = [
        *[labelled(f"{t}?", f"{t} {BASE}", f"{t} {NEAR[1]}", ("A", "B")) for t in DISTINCT[:4]],
        *boilerplate(3),
        pair(BASE, ""),
    ]
    for data in (rows[:4], rows[4:]):
        findings = audited(data, reading={"max_skipped": 1.0})[1]
        assert len(findings) > 1
        assert len({f.fingerprint for f in findings}) == len(findings)


def test_a_fingerprint_does_not_depend_on_numbers_or_rows() -> None:
    one = Finding("CR101", Severity.WARNING, "2 of 3", "cluster:x", ("a:1",), {"n": 2}, "do")
    two = Finding("CR101", Severity.NOTE, "3 of 4", "cluster:x", ("b:9",), {"n": 3})
    assert one.fingerprint == two.fingerprint
    assert len(one.fingerprint) == 16
    other = dataclasses.replace(one, subject="cluster:y")
    assert other.fingerprint != one.fingerprint
    assert dataclasses.replace(one, rule="CR102").fingerprint != one.fingerprint
