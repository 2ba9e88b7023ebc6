"""The JSON contract: its schema, what it needs, and that nothing but the data decides its bytes."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from cases import DISTINCT, SAMPLES, labelled, plain_document, reported, round_robin

from cr_audit.arrays import NotApplicable
from cr_audit.contract import schema
from cr_audit.write import WRITERS, Target
from cr_audit.write.values import clean

VALIDATOR = jsonschema.Draft202012Validator(schema())
# DESIGN.md, "JSON contract": these names may never change.
CONTRACT = {
    "": "schema command version settings dataset alternatives embedding neighbours clones weights"
    " win_rates findings",
    "dataset": "files rows_read rows_skipped skipped_by_reason schema n_prompts n_alternatives"
    " n_comparisons n_choice_sets n_ties n_annotators",
    "alternative": "id prompt_id model text n_comparisons",
    "embedding": "model dimension fingerprint",
    "neighbours": "index recall_estimate",
    "clones": "radius n_clusters n_alternatives_in_clusters clusters",
    "cluster": "id members size diameter weakest_link kind weight_mass item_share",
    "weights": "method space n_samples effective_number zero_share max_relative_error values",
    "win_rate": "id unit label average weighted rank_average rank_weighted n_opponents",
    "rewards": "unit model penalty certificate standard weighted values changes",
    "finding": "rule severity subject rows evidence advice fingerprint",
    "verdict": "pass failing baselined waived below_threshold",
}
NAMES = {
    "dataset": "Dataset",
    "alternative": "Alternative",
    "embedding": "Embedding",
    "neighbours": "Neighbours",
    "clones": "Clones",
    "cluster": "CloneCluster",
    "weights": "Weights",
    "win_rate": "WinRate",
    "rewards": "Rewards",
    "finding": "Finding",
    "verdict": "Verdict",
}
"""The record of each part."""
PARTS = ("embedding", "neighbours", "clones", "weights", "choice_sets")


def ranked(prompt: str, texts: tuple[str, ...], ranks: list[int]) -> dict[str, Any]:
    answers = [{"text": t, "rank": r} for t, r in zip(texts, ranks, strict=True)]
    return {"question": prompt, "answers": answers}


NEAR = ("one two three four five six seven", "one two three four five six eight")
DATA: dict[str, list[dict[str, Any]]] = {
    "one row": [{"prompt": "Why?", "chosen": "good", "rejected": "bad"}],
    "ids only": [
        {
            "question_id": f"q{i % 4}",
            "model_a": f"m{i % 3}",
            "model_b": f"m{(i + 1) % 3}",
            "winner": ("model_a", "model_b", "tie")[i % 5 % 3],
        }
        for i in range(24)
    ],
    "short names, a circle": [{"winner": f"{i}", "loser": f"{(i + 1) % 3}"} for i in range(3)],
    "lists": [ranked("Why?", DISTINCT[k : k + 3], [0, 2, 1]) for k in range(5)],
    "lists with ties": [ranked("Why?", DISTINCT[:3], [0, 0, 1])] * 2,
    "one prompt": round_robin(DISTINCT[:5]),
    "many prompts": [
        {"prompt": f"{t} {k}?", "chosen": f"{t} {k}", "rejected": f"no {k} {t}"}
        for k, t in enumerate(DISTINCT * 3)
    ],
    "all ties": [labelled("Why?", *DISTINCT[:2], ("A", "B"), "tie")] * 3,
    "clones": [
        labelled("Why?", near, DISTINCT[k], ("A", "B"), "ab"[k % 2], annotator=f"r{k % 2}")
        for k in range(6)
        for near in NEAR
    ],
    "identical texts": [labelled("Why?", "same text", "same text", ("A", "B"))] * 4,
    "empty answers": [{"prompt": "Why?", "chosen": "", "rejected": "bad"}] * 2,
}


@pytest.fixture(scope="module")
def documents() -> dict[str, dict[str, Any]]:
    out = {}
    for name, rows in DATA.items():
        for model in ("lexical", "none"):
            out[f"{name}, {model}"] = plain_document(reported(rows, model=model, seed=0))
    return out


def test_the_schema_is_a_schema_and_ships_with_the_package() -> None:
    made = schema()
    assert made["$schema"].endswith("2020-12/schema")
    jsonschema.Draft202012Validator.check_schema(made)


@pytest.mark.parametrize("part", CONTRACT)
def test_the_schema_requires_the_contract(part: str) -> None:
    made = schema()
    required = set((made["$defs"][NAMES[part]] if part else made)["required"])
    assert set(CONTRACT[part].split()) <= required


def closed(node: Any) -> Any:
    """The schema with every object closed, so that a key without a description is an error."""
    if isinstance(node, list):
        return [closed(s) for s in node]
    if not isinstance(node, dict):
        return node
    out = {k: closed(v) for k, v in node.items()}
    if "properties" in out and "required" in out:
        out["additionalProperties"] = False
    return out


def test_reports_of_all_kinds_of_data_follow_the_schema(
    documents: dict[str, dict[str, Any]],
) -> None:
    strict = jsonschema.Draft202012Validator(closed(schema()))
    for name, document in documents.items():
        errors = [f"{list(e.path)}: {e.message[:200]}" for e in VALIDATOR.iter_errors(document)]
        assert not errors, (name, errors)
        unnamed = [f"{list(e.path)}: {e.message[:200]}" for e in strict.iter_errors(document)]
        assert not unnamed, (name, "the schema does not describe", unnamed)


def test_every_part_is_seen_present_and_absent(documents: dict[str, dict[str, Any]]) -> None:
    """The test above would be empty if no data set reached a part."""
    for part in PARTS:
        absent = {"not_applicable" in d[part] for d in documents.values()}
        assert absent == {True, False}, part
    clusters = [c for d in documents.values() for c in d["clones"].get("clusters", [])]
    assert {c["kind"] for c in clusters} >= {"exact", "near"}
    assert any(d["findings"] for d in documents.values())
    assert any("shift" in row for d in documents.values() for row in d["win_rates"])
    assert any("shift" not in row for d in documents.values() for row in d["win_rates"])


def test_ratings_alone_follow_the_schema() -> None:
    rows = [
        {"prompt": f"Why {k}?", "response": DISTINCT[k + j], "model": f"m{j}", "score": j}
        for k in range(4)
        for j in range(3)
    ]
    document = plain_document(reported(rows, reading={"mapping": {"score": "score"}}))
    VALIDATOR.validate(document)
    assert document["dataset"]["n_ratings"] == 12
    assert document["dataset"]["n_comparisons"] == 0
    assert document["win_rates"] == []


@pytest.mark.parametrize("unit", ["response", "model", "cluster"])
@pytest.mark.parametrize("weights", ["voronoi", "cluster", "sharing", "uniform"])
def test_every_unit_and_scheme_follows_the_schema(unit: str, weights: str) -> None:
    document = plain_document(reported(DATA["clones"], unit=unit, weights=weights))
    VALIDATOR.validate(document)
    assert {row["unit"] for row in document["win_rates"]} == {unit}
    total = sum(v["weight"] for v in document["weights"]["values"])
    assert total == pytest.approx(1.0, abs=1e-9)


def test_the_schema_refuses_what_breaks_the_contract(
    documents: dict[str, dict[str, Any]],
) -> None:
    good = documents["clones, lexical"]
    for break_it in (
        lambda d: d.pop("win_rates"),
        lambda d: d.update(schema="cr-audit/v2"),
        lambda d: d["dataset"].pop("rows_skipped"),
        lambda d: d["clones"]["clusters"][0].pop("weakest_link"),
        lambda d: d.update(weights={"not_applicable": ""}),
        lambda d: d.update(clones=None),
        lambda d: d["settings"].update(seed=0),
        lambda d: d["win_rates"][0].update(average=1.5),
        lambda d: d["findings"][0].update(severity="fatal"),
    ):
        bad = copy.deepcopy(good)
        break_it(bad)
        assert not VALIDATOR.is_valid(bad)


def test_settings_are_all_there_with_their_sources() -> None:
    settings = plain_document(reported(DATA["one row"], seed=3))["settings"]
    assert settings["seed"] == {"value": 3, "source": "flag"}
    assert settings["space"] == {"value": "sphere", "source": "default"}


def test_texts_are_cut_unless_asked_for_in_full() -> None:
    long = "word " * 100 + "end"
    rows = [{"prompt": "Why?", "chosen": long, "rejected": "bad"}]
    report = reported(rows)
    cut = json.loads(WRITERS["json"].write(report, Target()))
    full = json.loads(WRITERS["json"].write(report, Target(full_text=True)))
    assert cut["alternatives"][0]["text"] == long[:200]
    assert full["alternatives"][0]["text"] == long


def test_clean() -> None:
    assert clean(np.float64(1 / 3)) == 0.3333333333
    assert clean(float("nan")) is None
    assert clean(float("-inf")) is None
    assert str(clean(-0.0)) == "0.0"
    assert clean(np.bool_(True)) is True
    assert clean((np.int64(3), "\ud800")) == [3, "?"]
    assert clean({"\ud800": NotApplicable("no")}) == {"?": {"not_applicable": "no"}}
    with pytest.raises(TypeError):
        clean(object())


def test_two_runs_give_the_same_bytes() -> None:
    first, second = (
        WRITERS["json"].write(reported(SAMPLES / "clone_robust.jsonl"), Target()) for _ in range(2)
    )
    assert first == second


def test_the_order_of_rows_changes_no_content() -> None:
    """Ids, clusters, findings and average win rates are the same; what is sampled (weights,
    resamples) may differ within its error."""
    rows = [json.loads(line) for line in (SAMPLES / "clone_robust.jsonl").read_text().splitlines()]
    shuffled = rows[:]
    random.Random(1).shuffle(shuffled)
    a, b = (plain_document(reported(r)) for r in (rows, shuffled))
    for key in ("n_prompts", "n_alternatives", "n_comparisons", "n_ties", "n_annotators"):
        assert a["dataset"][key] == b["dataset"][key]

    def by_id(document: dict[str, Any]) -> dict[str, Any]:
        return {x["id"]: x for x in document["alternatives"]}

    assert by_id(a) == by_id(b)
    clusters_a, clusters_b = ({c["id"]: c for c in d["clones"]["clusters"]} for d in (a, b))
    assert clusters_a.keys() == clusters_b.keys()
    for key, cluster in clusters_a.items():
        other = clusters_b[key]
        for name in ("scope", "kind", "size", "diameter", "weakest_link", "item_share"):
            assert cluster[name] == pytest.approx(other[name]), name
        assert cluster["weight_mass"] == pytest.approx(other["weight_mass"], abs=0.02)
    rates_a, rates_b = ({(r["unit"], r["id"]): r for r in d["win_rates"]} for d in (a, b))
    assert rates_a.keys() == rates_b.keys()
    for key, row in rates_a.items():
        other = rates_b[key]
        for name in ("average", "borda"):
            assert row[name] == pytest.approx(other[name], abs=1e-9)
        for name in ("rank_average", "n_opponents", "n_comparisons"):
            assert row[name] == other[name]
        assert row["weighted"] == pytest.approx(other["weighted"], abs=0.02)
    assert {f["fingerprint"] for f in a["findings"]} == {f["fingerprint"] for f in b["findings"]}


def test_the_number_of_cores_changes_no_byte(tmp_path: Path) -> None:
    out = []
    for threads in ("1", "2"):
        path = tmp_path / f"{threads}.json"
        command = [sys.executable, "-m", "cr_audit", "scan", "sample_data/clone_robust.jsonl"]
        command += ["--model", "lexical", "--no-cache", "--format", "json", "-o", str(path)]
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
        subprocess.run(
            command,
            check=True,
            cwd=SAMPLES.parent,
            env={**os.environ, **dict.fromkeys(names, threads)},
            timeout=120,
        )
        out.append(path.read_bytes())
    assert out[0] == out[1]
