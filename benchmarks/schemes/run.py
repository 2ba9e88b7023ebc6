"""What weights cost where there is nothing to correct: held-out agreement on real data sets.

    python benchmarks/schemes/run.py DATA_FOLDER [--sets hh,ukp] [--schemes voronoi,cluster,sharing]

One line of a markdown table per data set and scheme: effective number of the fitted items as a
share of them, the width that ``sharing`` used, agreement of the standard and of the weighted fit
with comparisons that neither saw, their difference with its standard error, processor time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from cr_audit.analysis import Settings, analyse
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.refit import refit
from cr_audit.arrays import NotApplicable
from cr_audit.embed import VectorCache, default_cache_dir, open_backend
from cr_audit.readers import read

LINEAR = {"unit": "response", "reward": "linear"}
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "hh": ("hh_rlhf_harmless/harmless_base_test", {}),
    "hhh": ("hhh_alignment/pairs", {}),
    "llmbar": ("llmbar/instances", {}),
    "pandalm": ("pandalm_testset/testset_v1", {}),
    "rm_bench": ("rm_bench/pairs", {}),
    "judgebench": ("judgebench/pairs_gpt-4o-2024-05-13", {}),
    "ukp": ("ukp_convarg/pairs_gold", {}),
    "ukp, linear": ("ukp_convarg/pairs_gold", LINEAR),
    "humour": ("humour_pairs/pairs", {}),
    "wildbench": ("wildbench_scores/pairs_llama3_family_text", {}),
    "wildbench, linear": ("wildbench_scores/pairs_llama3_family_text", LINEAR),
    "llmfao": ("llmfao/crowd_comparisons", {}),
    "llmfao, linear": ("llmfao/crowd_comparisons", LINEAR),
    "qlora": ("qlora_vicuna_gpt4/vicuna_threeclass", {}),
    "qlora, linear": ("qlora_vicuna_gpt4/vicuna_threeclass", LINEAR),
    "wmt ende": ("wmt23_sxs_mqm/comparisons_ende", {}),
    "wmt ende, linear": ("wmt23_sxs_mqm/comparisons_ende", LINEAR),
    "wmt zhen, linear": ("wmt23_sxs_mqm/comparisons_zhen", LINEAR),
}


def line(name: str, scheme: str, analysis: Analysis, seconds: float) -> str:
    rewards = refit(analysis)
    weighted, held = rewards.weighted, rewards.held_out
    if isinstance(weighted, NotApplicable) or isinstance(held, NotApplicable):
        return f"| {name} | {scheme} | not applicable |"
    w = weighted.weights
    width = rewards.weights_settings.get("width")
    return " | ".join(
        [
            f"| {name}",
            f"{rewards.reward_model}, {rewards.fitted_unit}s",
            scheme if width is None else f"{scheme}, {f'width {width:.2f}' if width else 'clones'}",
            f"{1 / float(np.sum(w**2)) / w.size:.2f}",
            f"{held.agreement_standard.value:.3f}",
            f"{held.agreement_weighted.value:.3f}",
            f"{held.gain.value:+.4f} ± {held.gain.standard_error:.4f}",
            f"{time.process_time() - seconds:.0f} s |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default=";".join(SETS), help="names, separated by ;")
    parser.add_argument("--schemes", default="voronoi,cluster,sharing")
    parser.add_argument("--model", default="static")
    given = parser.parse_args()
    backend = open_backend(given.model, cache_dir=default_cache_dir(), notice=print)
    cache = VectorCache(default_cache_dir(), notice=print)
    for name in given.sets.split(";"):
        file, settings = SETS[name]
        data = read([str(given.folder / f"{file}.shared.jsonl.gz")], max_skipped=1.0)
        for scheme in given.schemes.split(","):
            began = time.process_time()
            # Ten replicates: nothing in the line comes from a bootstrap.
            chosen = Settings(model=given.model, weights=scheme, n_replicates=10, **settings)
            analysis = analyse(data, chosen, backend=backend, cache=cache)
            print(line(name, scheme, analysis, began), flush=True)


if __name__ == "__main__":
    main()
