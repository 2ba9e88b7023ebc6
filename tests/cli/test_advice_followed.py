"""What a rule advises, done: data that fires the rule, then the commands of its advice.

Every rule whose advice names a command or an option stands in ``ADVICE``, or in ``NOT_HERE`` with
the reason why no test of this kind follows it. Where the advice removes the cause, the rule must
not fire in the last command.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cr_audit.cli.explain import known_rules
from tests.cli.conftest import Run

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


class Advice(NamedTuple):
    """fires : a command after which the rule is among the findings. steps : what it advises.
    gone : the last of them no longer has it."""

    fires: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    gone: bool = False


SAMPLE = str(SAMPLES / "clone_robust.jsonl")
MAIN, CLONED = (str(SAMPLES / "gate" / n) for n in ("main.jsonl", "batch_cloned.jsonl"))
GATE = ("gate", "--baseline", MAIN, CLONED, "--exit-zero", "--model", "lexical")
COPIES_SHOWN = (("clones", MAIN, CLONED, *QUICK),)
CLEAN = ("export", "--as", "clean", "-o", "clean.jsonl", "--model", "lexical")
ADVICE: dict[str, Advice] = {
    "CR101": Advice(
        ("scan", SAMPLE, *QUICK), ((*CLEAN, SAMPLE), ("scan", "clean.jsonl", *QUICK)), gone=True
    ),
    "CR202": Advice(("scan", SAMPLE, *QUICK), (("winrates", SAMPLE, *QUICK),)),
    "CR203": Advice(
        ("refit", SAMPLE, *QUICK),
        (("export", "-o", "weighted.jsonl", "--model", "lexical", SAMPLE),),
    ),
    "CR204": Advice(("refit", SAMPLE, *QUICK), (("refit", SAMPLE, *QUICK),)),
    "CR207": Advice(
        ("refit", SAMPLE, "--reward", "linear", *QUICK),
        (("refit", SAMPLE, "--reward", "tabular", *QUICK),),
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
    "CR606": Advice(GATE, COPIES_SHOWN),
    "CR607": Advice(GATE, COPIES_SHOWN),
    "CR608": Advice(GATE, COPIES_SHOWN),
    "CR709": Advice(("choices", "pairs.jsonl"), (("choices", "pairs.jsonl", "--plan", "4"),)),
}
_FACTS = "fires only where facts are made by hand (tests/unit/families)"
_SLOW = "the data that fires it takes minutes to judge; its command is followed for another rule"
NOT_HERE = {
    "CR105": _FACTS,
    "CR205": _FACTS,
    "CR206": _FACTS,
    "CR401": "what reads such rows depends on them; tests/cli/test_every_next_step.py has kinds",
    "CR503": _FACTS,
    "CR504": _FACTS,
    "CR620": "leaves --row-weights out: followed for CR410",
    "CR707": "what reads such lists depends on them",
    "CR711": _SLOW,
    "CR712": _SLOW,
    "CR801": _SLOW,
    "CR804": _SLOW,
    "CR806": _SLOW,
    "CR811": _SLOW,
    "CR901": _SLOW,
    "CR902": _SLOW,
    "CR903": _SLOW,
}


def rules_in(out: str) -> set[str]:
    return {f["rule"] for f in json.loads(out)["findings"]}


@pytest.fixture
def here() -> None:
    files()


@pytest.mark.parametrize("rule", ADVICE)
def test_advice_that_is_followed_works(rule: str, run: Run, here: None) -> None:
    advice = ADVICE[rule]
    done = run(*advice.fires, "--format", "json")
    assert done.code in (0, 1), done.err
    assert rule in rules_in(done.out)
    for step in advice.steps:
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
    assert named == ADVICE.keys() | NOT_HERE.keys()
    assert not ADVICE.keys() & NOT_HERE.keys()
