"""What a rule advises, done: data that fires the rule, then the commands of its advice.

Every rule whose advice names a command or an option stands in ``ADVICE``. Where the advice removes
the cause, the rule must not fire in the last command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from cr_audit.cli.explain import known_rules
from tests.cli.conftest import Run
from tests.cli.test_kinds_command import FILLER, KINDS

SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_data"
NAMED = re.compile(r"cr-audit [a-z]+|(?<![\w-])--[a-z][a-z-]+")
QUICK = ("--model", "lexical", "--replicates", "20")
PAIRS = [
    {"prompt": f"q{i}", "chosen": f"a good answer {i}", "rejected": f"a bad reply {i}"}
    for i in range(12)
]
ANSWERS = [
    "The tide turns twice a day because the moon pulls at the sea from both sides.",
    "Bread rises when yeast eats sugar and breathes out gas that the dough holds back.",
    "A bridge hangs on two cables, and each of them pulls at a block of stone on land.",
    "Glass is sand that was melted with soda and lime and cooled before it could set.",
    "Owls hear a mouse below the snow, for one ear sits a little higher than the other.",
    "Rust is iron that met water and air; salt on the road only makes them meet sooner.",
]


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(r) + "\n" for r in rows))


def robin(texts: list[str]) -> list[dict[str, Any]]:
    return [
        {"prompt": "Tell me something.", "chosen": a, "rejected": b}
        for i, a in enumerate(texts)
        for b in texts[i + 1 :]
    ]


def twice(a: str, b: str, n: int, lost: int = 0) -> list[dict[str, Any]]:
    """a wins n times against b, and loses some."""
    return [
        {"prompt": "Why?", "chosen": x, "rejected": y, "annotator": f"{a} {b} {k}"}
        for k, (x, y) in enumerate([(a, b)] * n + [(b, a)] * lost)
    ]


def named(a: str, b: str, n: int, who: str = "u") -> list[dict[str, Any]]:
    """Votes of an arena: the model a wins n times against b."""
    row = {"prompt": "Why?", "response_a": f"{a} says so", "response_b": f"{b} says so"}
    return [{**row, "model_a": a, "model_b": b, "winner": "model_a", "annotator": who}] * n


NEAR = (ANSWERS[0], ANSWERS[0].replace("sea", "seas"))


def files() -> None:
    """The data, in the working folder."""
    write("weights.jsonl", [{**p, "weight": 2} for p in PAIRS])
    write("heavy.jsonl", [{**p, "weight": 1 if i else 5000} for i, p in enumerate(PAIRS)])
    pairs = [{k: p[k] for k in ("chosen", "rejected")} for p in PAIRS]
    write("no_prompt.jsonl", [{**p, "foo": f"Why is {i} odd?"} for i, p in enumerate(pairs)])
    copies = [ANSWERS[0] + f" So said {name}." for name in map(str, range(80))]
    write("copies.jsonl", [row for c in copies for row in robin([ANSWERS[1], c, ANSWERS[2]])])
    write("six.jsonl", robin(ANSWERS))
    write("pairs.jsonl", PAIRS)
    write("one.jsonl", [{**p, "weight": 1} for p in PAIRS])
    write("other.jsonl", [{**p, "prompt": f"o{i}", "weight": 1} for i, p in enumerate(PAIRS)])
    write("loud.jsonl", [{**p, "prompt": f"o{i}", "weight": 5000} for i, p in enumerate(PAIRS)])
    alike = twice(NEAR[0], ANSWERS[1], 40) + twice(ANSWERS[1], NEAR[1], 40)
    write("alike.jsonl", alike)
    short = [{**p, "all": p["chosen"], "prompt": f"r{i}"} for i, p in enumerate(PAIRS * 10)]
    write("short.jsonl", [*short, {**short[0], "chosen": None}])
    lists = [
        {"prompt": f"q{i}", "responses": ["x", "y", "z"], "ranks": [1, 2, 3]} for i in range(120)
    ]
    lists[0]["ranks"] = [1, "best", 3]
    write("lists.jsonl", [{**row, "order": [1, 2, 3]} for row in lists])
    arena = named("x", "y", 30) + named("z", "y", 30) + named("y", "x", 1) + named("y", "z", 1)
    write("arena.jsonl", arena)
    write("strong.jsonl", twice(NEAR[0], ANSWERS[2], 40) + twice(ANSWERS[3], ANSWERS[2], 40)
          + twice(NEAR[1], ANSWERS[2], 3))  # fmt: skip


def collected() -> None:
    """The votes of arena.jsonl, and those that were advised."""
    write("arena.jsonl", [*read("arena.jsonl"), *named("x", "z", 50, "v")])


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def collected_beside() -> None:
    write("close.jsonl", [*read("close.jsonl"), *named("x", "y", 20, "v")])


def close_race() -> None:
    """A batch that brings the second within a vote of the first."""
    Path("cr-audit.toml").write_text("[gate.thresholds]\nleader-votes = 2\n")
    clear = [("x", "y"), ("y", "z"), ("x", "z")] * 2
    write("clear.jsonl", [r for w in "abcd" for a, b in clear for r in named(a, b, 1, w)])
    write("close.jsonl", [r for w in "efgh" for r in named("y", "x", 2, w)] + named("x", "y", 1))


def dominated() -> None:
    """Ten answers close together and one opposite to them, which has the largest cell: weighted,
    the few votes against it outdo the many between the ten."""
    ten = [f"{side} says {k}" for k in range(5) for side in ("left", "right")]
    far, rows = "the eleventh of them", []
    for one, other in zip(ten[::2], ten[1::2], strict=True):
        rows += twice(one, other, 54, 6) + twice(one, far, 2, 9) + twice(other, far, 9, 2)
    write("eleven.jsonl", rows)
    seen = dict.fromkeys(t for r in rows for t in (r["chosen"], r["rejected"]))
    axes = np.eye(11)
    place = {t: axes[0] + axes[1 + k] for k, t in enumerate(ten)} | {far: -axes[0]}
    np.save("eleven.npy", np.array([place[t] for t in seen], dtype=np.float32))


def lists_of(seed: int, n: int, size: int, offered: float) -> list[dict[str, Any]]:
    """Lists of which 70 % of the judges choose the brief model's answer."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        brief = rng.random(size) < offered
        brief[:2] = True, False
        brief = rng.permutation(brief)
        best = int(rng.choice(np.flatnonzero(brief == (rng.random() < 0.7))))
        answers = [
            {
                "answer": f"{seed} {i} {j}",
                "model": "brief" if b else "wordy",
                "rank": 1 + (j != best),
            }
            for j, b in enumerate(brief.tolist())
        ]
        rows.append({"prompt": f"q{seed} {i}", "answers": answers})
    return rows


def offered_unequally() -> None:
    write("base.jsonl", lists_of(1, 150, 3, 0.5))
    write("batch.jsonl", lists_of(2, 1200, 6, 0.95))


def offered_equally() -> None:
    write("batch.jsonl", lists_of(2, 200, 6, 0.5))


def four_kinds() -> None:
    """A kind that always wins, and one that is said again and again by near copies."""
    rng = np.random.default_rng(3)

    def text(kind: str) -> str:
        said = [*rng.choice(KINDS[kind].split(), 9), *rng.choice(FILLER, 7)]
        return " ".join(map(str, rng.permutation(said)))

    rows = []
    for i in range(120):
        pair = rng.choice(list(KINDS), 2, replace=False).tolist()
        won, lost = sorted(pair, key="refusal".__ne__)
        rows.append({"prompt": f"question {i}", "chosen": text(won), "rejected": text(lost)})
    again = text("travel")
    rows += [
        {"prompt": f"again {i % 15}", "chosen": text("recipe"), "rejected": f"{again} x{i}"}
        for i in range(90)
    ]
    write("kinds.jsonl", rows)


def few_steps(patch: pytest.MonkeyPatch) -> None:
    """Two steps of Newton stand for data on which fifty are too few."""
    from cr_audit.models.rewards.tabular import fit_tabular

    patch.setitem(fit_tabular.__kwdefaults__, "max_iterations", 2)


def few_samples(patch: pytest.MonkeyPatch) -> None:
    """As many samples as a thousand times as many responses would get."""
    from cr_audit.weights import samplers

    plan = samplers.plan
    patch.setattr(samplers, "plan", lambda scores, wanted, most: plan(scores, wanted, 1e5))
    patch.setattr(samplers, "LONGER", 0.0)


class Advice(NamedTuple):
    """fires : a command after which the rule is among the findings. steps : what it advises.
    gone : the last of them no longer has it. data : what writes more files before. mend : what is
    done to the data, if that is advised, before the last step. patch : limits that are made small.
    """

    fires: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    gone: bool = False
    data: Callable[[], None] | None = None
    mend: Callable[[], None] | None = None
    patch: Callable[[pytest.MonkeyPatch], None] | None = None


SAMPLE = str(SAMPLES / "clone_robust.jsonl")
MAIN, CLONED = (str(SAMPLES / "gate" / n) for n in ("main.jsonl", "batch_cloned.jsonl"))
GATE = ("gate", "--baseline", MAIN, CLONED, "--exit-zero", "--model", "lexical")
COPIES_SHOWN = (("clones", MAIN, CLONED, *QUICK),)
CLEAN = ("export", "--as", "clean", "-o", "clean.jsonl", "--model", "lexical")
LOUD = ("gate", "--baseline", "one.jsonl", "--exit-zero", *QUICK)
LISTS = ("gate", "--baseline", "base.jsonl", "batch.jsonl", "--exit-zero", "--model", "none",
         "--replicates", "20")  # fmt: skip
CLOSE = ("gate", "--baseline", "clear.jsonl", "close.jsonl", "--exit-zero", "--model", "none",
         "--unit", "model")  # fmt: skip
ARENA = ("sensitivity", "arena.jsonl", "--model", "none", "--unit", "model")
ELEVEN = ("refit", "eleven.jsonl", "--embeddings", "eleven.npy", "--replicates", "20")
KIND_FILE = ("kinds.jsonl", *QUICK)
ADVICE: dict[str, Advice] = {
    "CR101": Advice(
        ("scan", SAMPLE, *QUICK), ((*CLEAN, SAMPLE), ("scan", "clean.jsonl", *QUICK)), gone=True
    ),
    "CR105": Advice(
        ("scan", "alike.jsonl", *QUICK),
        (
            ("clones", "alike.jsonl", *QUICK),
            ("refit", "alike.jsonl", "--weights", "uniform", *QUICK),
        ),
    ),
    "CR202": Advice(("scan", SAMPLE, *QUICK), (("winrates", SAMPLE, *QUICK),)),
    "CR203": Advice(
        ("refit", SAMPLE, *QUICK),
        (("export", "-o", "weighted.jsonl", "--model", "lexical", SAMPLE),),
    ),
    "CR204": Advice(("refit", SAMPLE, *QUICK), (("refit", SAMPLE, *QUICK),)),
    "CR205": Advice(
        ("refit", SAMPLE, *QUICK, "--penalty", "0.001"),
        (("refit", SAMPLE, *QUICK, "--penalty", "10"),),
        gone=True,
        patch=few_steps,
    ),
    "CR206": Advice(
        (*ELEVEN, "--weights", "voronoi"),
        ((*ELEVEN, "--standard"), (*ELEVEN, "--weights", "cluster")),
        gone=True,
        data=dominated,
    ),
    "CR207": Advice(
        ("refit", SAMPLE, "--reward", "linear", *QUICK),
        (("refit", SAMPLE, "--reward", "tabular", *QUICK),),
        gone=True,
    ),
    "CR401": Advice(
        ("scan", "short.jsonl", "--model", "none"),
        (("scan", "short.jsonl", "--map", "chosen=all", "--model", "none"),),
        gone=True,
    ),
    "CR408": Advice(
        ("scan", "no_prompt.jsonl", *QUICK),
        (("scan", "no_prompt.jsonl", "--map", "prompt=foo", *QUICK),),
        gone=True,
    ),
    "CR409": Advice(
        ("scan", "weights.jsonl", *QUICK),
        (("scan", "weights.jsonl", "--row-weights", "weight", *QUICK),),
        gone=True,
    ),
    "CR410": Advice(
        ("scan", "heavy.jsonl", "--row-weights", "weight", *QUICK),
        (("scan", "heavy.jsonl", *QUICK),),
        gone=True,
    ),
    "CR501": Advice(
        ("scan", "copies.jsonl", *QUICK),
        (
            ("clones", "copies.jsonl", *QUICK),
            (*CLEAN, "copies.jsonl"),
            ("scan", "clean.jsonl", *QUICK),
        ),
        gone=True,
    ),
    "CR502": Advice(
        ("scan", "six.jsonl", "--weights", "voronoi", "--space", "unit-cube", *QUICK),
        (("scan", "six.jsonl", "--weights", "voronoi", "--space", "sphere", *QUICK),),
        gone=True,
    ),
    "CR503": Advice(
        ("scan", "pairs.jsonl", "--weights", "voronoi", "--scope", "prompt", *QUICK),
        (
            (
                "scan",
                "pairs.jsonl",
                "--weights",
                "voronoi",
                "--space",
                "sphere",
                "--scope",
                "dataset",
                *QUICK,
            ),
        ),
        gone=True,
    ),
    "CR504": Advice(
        ("scan", "six.jsonl", "--weights", "voronoi", "--precision", "0.01", *QUICK),
        (("scan", "six.jsonl", "--weights", "sharing", "--precision", "0.01", *QUICK),),
        gone=True,
        patch=few_samples,
    ),
    "CR606": Advice(GATE, COPIES_SHOWN),
    "CR607": Advice(GATE, COPIES_SHOWN),
    "CR608": Advice(GATE, COPIES_SHOWN),
    "CR620": Advice(
        (*LOUD, "loud.jsonl", "--row-weights", "weight"),
        ((*LOUD, "loud.jsonl"), (*LOUD, "other.jsonl", "--row-weights", "weight")),
        gone=True,
    ),
    "CR707": Advice(
        ("choices", "lists.jsonl", "--model", "none"),
        (
            (
                "choices",
                "lists.jsonl",
                "--map",
                "items=responses,item_ranks=order",
                "--model",
                "none",
            ),
        ),
        gone=True,
    ),
    "CR709": Advice(("choices", "pairs.jsonl"), (("choices", "pairs.jsonl", "--plan", "4"),)),
    "CR711": Advice(
        LISTS, (("choices", "batch.jsonl", "--model", "none"),), data=offered_unequally
    ),
    "CR712": Advice(
        LISTS,
        (("choices", "base.jsonl", "batch.jsonl", "--model", "none"), LISTS),
        gone=True,
        data=offered_unequally,
        mend=offered_equally,
    ),
    "CR801": Advice(ARENA, ((*ARENA, "--next", "50"), ARENA), gone=True, mend=collected),
    "CR804": Advice(ARENA, ((*ARENA, "--next", "50"), ARENA), gone=True, mend=collected),
    "CR806": Advice(("sensitivity", "strong.jsonl", *QUICK), (("refit", "strong.jsonl", *QUICK),)),
    "CR811": Advice(
        CLOSE,
        (
            (
                "sensitivity",
                "clear.jsonl",
                "close.jsonl",
                "--unit",
                "model",
                "--next",
                "50",
                "--model",
                "none",
            ),
            CLOSE,
        ),
        gone=True,
        data=close_race,
        mend=collected_beside,
    ),
    "CR901": Advice(
        ("kinds", *KIND_FILE), (("kinds", *KIND_FILE, "--full-text"),), data=four_kinds
    ),
    "CR902": Advice(
        ("kinds", *KIND_FILE),
        ((*CLEAN, "kinds.jsonl"), ("kinds", "clean.jsonl", *QUICK)),
        gone=True,
        data=four_kinds,
    ),
    "CR903": Advice(
        ("kinds", *KIND_FILE), (("refit", *KIND_FILE, "--unit", "kind"),), data=four_kinds
    ),
}


def rules_in(out: str) -> set[str]:
    return {f["rule"] for f in json.loads(out)["findings"]}


@pytest.fixture
def here() -> None:
    files()


@pytest.mark.parametrize("rule", ADVICE)
def test_advice_that_is_followed_works(
    rule: str, run: Run, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    advice = ADVICE[rule]
    if advice.data is not None:
        advice.data()
    if advice.patch is not None:
        advice.patch(monkeypatch)
    done = run(*advice.fires, "--format", "json")
    assert done.code in (0, 1), done.err
    assert rule in rules_in(done.out)
    for i, step in enumerate(advice.steps, 1):
        if advice.mend is not None and i == len(advice.steps):
            advice.mend()
        done = run(*step, *(() if step[0] == "export" else ("--format", "json")))
        assert done.code in (0, 1), (step, done.err)
    if advice.gone:
        assert rule not in rules_in(done.out)


def test_the_steps_are_what_is_advised() -> None:
    """Each command and option of an advice is in its steps, or in those of a rule beside it."""
    for rule in known_rules():
        if rule.id in ADVICE:
            said = {n.removeprefix("cr-audit ") for n in NAMED.findall(rule.advice)}
            done = {word for step in ADVICE[rule.id].steps for word in step}
            assert said & done or "row-weights" in rule.advice, (rule.id, said)


def test_every_advice_with_a_command_is_followed() -> None:
    named = {r.id for r in known_rules() if NAMED.search(r.advice)}
    assert named == ADVICE.keys()
