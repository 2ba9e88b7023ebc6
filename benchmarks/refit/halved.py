"""Do ``refit``'s leader and flagged changes stay at half and at twice the penalty it chooses?

    python benchmarks/refit/halved.py DATA_FOLDER [--sets NAME ...]

One line of a markdown table per data set: who leads under either fit, how many changes are flagged,
and whether both are the same at λ/2 and 2λ; where the leader is not, whether the report at λ said
"undecided".
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from cr_audit import api
from cr_audit.errors import ComputeError

SETS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "wildbench ids": (("wildbench_scores/pairs_ids_only",), {"unit": "model"}),
    "llmfao": (("llmfao/crowd_comparisons",), {}),
    "qlora vicuna": (("qlora_vicuna_gpt4/vicuna_threeclass",), {}),
    "qlora oa": (("qlora_vicuna_gpt4/oa_threeclass_ids_only",), {}),
    "wmt23 en-de": (("wmt23_sxs_mqm/comparisons_ende",), {}),
    "wmt23 zh-en": (("wmt23_sxs_mqm/comparisons_zhen",), {}),
    "ukp": (("ukp_convarg/votes",), {}),
    "squality": (("squality_human_eval/rankings",), {"expand_choices": True}),
    "Star Wars": (("starwars_rankings/rankings",), {"expand_choices": True}),
    "pandalm": (("pandalm_testset/testset_v1",), {}),
    "Albany": (("elections_rcv/albany",), {"expand_choices": True}),
    "wmt23 en-de ratings": (("wmt23_sxs_mqm/ratings_ende",), {"ratings_to_pairs": True}),
    "qlora relative": (("qlora_vicuna_gpt4/vicuna_relative_gpt35",), {}),
    "judgebench votes": (("judgebench/judge_votes_gpt-4o-2024-05-13",), {}),
    "llmbar votes": (("llmbar/evaluator_votes",), {}),
    "hhh": (("hhh_alignment/pairs",), {}),
    "oasst lists": (("oasst_trees/ranked_sets",), {"expand_choices": True}),
}
Report = dict[str, Any]


def fitted(files: list[Path], settings: dict[str, Any]) -> tuple[Report, str]:
    """The rewards part of the report, and its first sentences."""
    from cr_audit.blocks import Answer

    try:
        made = api.refit(files, **settings)
    except ComputeError:  # nothing to weigh by
        made = api.refit(files, standard=True, **settings)
    said = [s for b in made.report.blocks() if isinstance(b, Answer) for s in b.sentences]
    return made.to_dict()["rewards"], " ".join(str(s) for s in said)


def leaders(rewards: Report, fit: str) -> frozenset[str]:
    return frozenset(c["id"] for c in rewards.get("changes", []) if c.get(f"rank_{fit}") == 1)


def flagged(rewards: Report) -> frozenset[str]:
    return frozenset(c["id"] for c in rewards.get("changes", []) if c.get("flagged"))


def line(name: str, folder: Path) -> str:
    start = time.process_time()
    names, settings = SETS[name]
    files = [folder / f"{n}.shared.jsonl.gz" for n in names]
    chosen, said = fitted(files, settings)
    penalty = float(chosen["penalty"])
    others = [fitted(files, settings | {"penalty": penalty * f})[0] for f in (0.5, 2.0)]
    first = [leaders(chosen, fit) for fit in ("standard", "weighted")]
    same = all([leaders(o, f) for f in ("standard", "weighted")] == first for o in others)
    flags = all(flagged(o) == flagged(chosen) for o in others)
    undecided = any(w in said for w in ("undecided", "hangs on the penalty", "tie", "cannot"))
    leader = "the same" if same else ("said undecided" if undecided else "CHANGES")
    n = [len(flagged(r)) for r in (others[0], chosen, others[1])]
    return (
        f"| {name} | {penalty:.2g} | {len(first[0])} at rank 1 | {leader}"
        f" | {n[0]}, {n[1]}, {n[2]} {'the same' if flags else 'DIFFER'}"
        f" | {time.process_time() - start:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", choices=tuple(SETS), default=tuple(SETS))
    given = parser.parse_args()
    head = "| set | λ | first | leader at λ/2 and 2 λ | flagged at λ/2, λ, 2 λ | s |"
    print(head + "\n" + "|---" * 6 + "|")
    for name in given.sets:
        print(line(name, given.folder), flush=True)


if __name__ == "__main__":
    main()
