"""What `refit` says on real data sets at its defaults: the table of docs/refit.md.

    python benchmarks/refit/real_sets.py DATA_FOLDER [--sets llmfao;humour] [-- OPTION...]

One line of a markdown table per data set, from the JSON report; OPTIONs go to `cr-audit refit`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[2] / "sample_data" / "clone_robust.jsonl"
SETS: dict[str, tuple[list[str], list[str]]] = {
    "llmfao crowd": (["llmfao/crowd_comparisons"], []),
    "ukp_convarg votes": (["ukp_convarg/votes"], []),
    "wildbench pairs + responses": (
        ["wildbench_scores/pairs_ids_only", "wildbench_scores/responses"],
        ["--unit", "model"],
    ),
    "wmt23 en-de": (["wmt23_sxs_mqm/comparisons_ende"], []),
    "wmt23 zh-en": (["wmt23_sxs_mqm/comparisons_zhen"], []),
    "qlora vicuna": (["qlora_vicuna_gpt4/vicuna_threeclass"], []),
    "humour": (["humour_pairs/pairs"], []),
    "hh-rlhf harmless": (["hh_rlhf_harmless/harmless_base_test"], []),
}
Report = dict[str, Any]


def number(value: Any, digits: int = 3) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    return "-" if value is None else f"{value:.{digits}f}"


def leaders(changes: list[Report], fit: str) -> dict[int, Report]:
    """Per component of the comparison graph, who is first under the fit."""
    return {c["component"]: c for c in changes if c[f"rank_{fit}"] == 1}


def lead(changes: list[Report]) -> str:
    """Who leads under either fit, and in what share of the replicates."""
    before, after = leaders(changes, "standard"), leaders(changes, "weighted")
    if not before:
        return "none ranked"
    if len(before) > 1:
        moved = sum(before[k]["id"] != after[k]["id"] for k in before)
        return f"changes in {moved} of {len(before)} components"
    (a,), (b,) = before.values(), after.values()
    sure = f"{a['probability_first_standard']:.2f}", f"{b['probability_first_weighted']:.2f}"
    if a["id"] == b["id"]:
        return f"{a['label']}, the same ({sure[0]}, {sure[1]})"
    return f"{a['label']} ({sure[0]}) → {b['label']} ({sure[1]})"


def line(name: str, rewards: Report) -> str:
    subjects, changes = rewards["subjects"], rewards.get("changes", [])
    held, width = rewards["held_out"], rewards["weights_settings"].get("width")
    shift = max((abs(c["reward_weighted"] - c["reward_standard"]) for c in changes), default=None)
    return " | ".join(
        [
            f"| {name}",
            f"{rewards['model']}, {subjects.get('n', 0)} {subjects.get('what', 'ranked')}",
            f"width {width:.2f}" if width else rewards["weighted"]["weights"],
            lead(changes),
            f"{sum(c['flagged'] for c in changes)} of {len(changes)}",
            number(shift),
            number(rewards["decisions"]["differs"]),
            f"{number(held['agreement_standard'])} / {number(held['agreement_weighted'])} |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default=";".join(SETS), help="names, separated by ;")
    parser.add_argument("options", nargs="*", help="for cr-audit refit, after --")
    given = parser.parse_args()
    command = [sys.executable, "-m", "cr_audit", "refit"]
    print("| set | fit | weights | leader, standard → weighted | flagged | largest shift |", end="")
    print(" decisions that differ | agreement held out |\n" + "|---" * 8 + "|")
    for name in ["sample data", *given.sets.split(";")]:
        files, options = ([str(SAMPLE)], []) if name == "sample data" else SETS[name]
        if name != "sample data":
            files = [str(given.folder / f"{file}.shared.jsonl.gz") for file in files]
        done = subprocess.run(
            [*command, *files, *options, *given.options, "--format", "json", "--max-skipped", "1"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(f"| {name} | exit {done.returncode}: {done.stderr.strip()[-200:]} |", flush=True)
            continue
        print(line(name, json.loads(done.stdout)["rewards"]), flush=True)


if __name__ == "__main__":
    main()
