"""The advised comparisons as rows that annotators can be given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.families.sensitivity.facts import NextVotes, SensitivityFacts
from cr_audit.files import write_whole

if TYPE_CHECKING:
    from cr_audit.run import Run

FILE = "next.jsonl"


def write_tasks(run: Run, facts: SensitivityFacts) -> None:
    """One JSON object a line: prompt, response_a, response_b, model_a, model_b where known, and
    the ids; which of the two stands first is drawn. Models meet over a prompt that both answered,
    least judged first. Raises ComputeError where there is no advice."""
    import orjson

    votes = facts.next_votes
    if isinstance(votes, NotApplicable):
        raise ComputeError(
            "nothing-to-collect",
            f"there is no comparison to advise: {votes.reason}",
            next_step="leave out --next",
        )
    path = Path(run.options["next_file"] or FILE)
    lines = [orjson.dumps(task) for task in tasks(run, facts, votes)]
    write_whole(b"".join(line + b"\n" for line in lines), path, option="--next-file")
    run.say(f"{len(lines)} comparisons to collect: {path}")


def tasks(run: Run, facts: SensitivityFacts, votes: NextVotes) -> list[dict[str, Any]]:
    """The rows of ``write_tasks``."""
    frame, prompts = run.dataset.alternatives, run.dataset.prompts
    unit = run.analysis.units[0]
    text, model = frame["text"].to_list(), frame["model"].to_list()
    prompt_of = frame["prompt"].to_numpy().astype(np.int64)
    prompt_text = prompts["text"].to_list()
    flips = run.stream("order of tasks").random(votes.first.size) < 0.5
    used: dict[int, int] = {}
    out = []
    pairs = zip(votes.first.tolist(), votes.second.tolist(), flips, votes.fall, strict=True)
    for i, j, flip, fall in pairs:
        task: dict[str, Any] = {"item_a": facts.ids[i], "item_b": facts.ids[j]}
        found = _answers(unit.items.labels, prompt_of, i, j, used)
        if found is not None:
            a, b = found
            used[int(prompt_of[a])] = used.get(int(prompt_of[a]), 0) + 1
            if flip:
                a, b = b, a
                task = {"item_a": facts.ids[j], "item_b": facts.ids[i]}
            task |= {
                "prompt": prompt_text[prompt_of[a]],
                "response_a": text[a],
                "response_b": text[b],
                "model_a": model[a],
                "model_b": model[b],
            }
        task["expected_fall"] = round(float(fall), 6)
        out.append({k: _plain(v) for k, v in task.items() if v is not None})
    return out


def _answers(
    labels: np.ndarray[Any, Any],
    prompt_of: np.ndarray[Any, Any],
    i: int,
    j: int,
    used: dict[int, int],
) -> tuple[int, int] | None:
    """One answer of each item to a prompt that both have, the least used prompt first."""
    mine, other = np.flatnonzero(labels == i), np.flatnonzero(labels == j)
    shared = np.intersect1d(prompt_of[mine], prompt_of[other])
    if shared.size == 0:
        return None
    prompt = min(shared.tolist(), key=lambda p: (used.get(p, 0), p))
    a = mine[prompt_of[mine] == prompt][0]
    b = other[prompt_of[other] == prompt][0]
    return int(a), int(b)


def _plain(value: Any) -> Any:
    """Lone surrogates have no UTF-8: they are written as their escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
