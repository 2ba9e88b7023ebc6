"""The case study with the paper's population on the written answers, ten seeds: who leads.

    python benchmarks/case_study/paper.py measure --model all-MiniLM-L6-v2 --out FOLDER
    python benchmarks/case_study/paper.py table --out FOLDER

``measure`` writes one JSON file per encoder, reward model and seed; ``table`` prints the markdown
tables of benchmarks/README.md, "The paper's population", from those that are there. Each seed draws
its own comparisons and estimates its own weights; the texts are the same 240.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from cr_audit.embed import VectorCache, default_cache_dir, embed_texts, open_backend
from cr_audit.simulate import case_study as study
from cr_audit.simulate.catalogue import plain_values
from cr_audit.weights.scheme import Options, Variant, variants

BUDGET = 3e8  # multiplications per Monte-Carlo estimate: sums over 60 texts need few samples
NETWORKS = ("standard", "voronoi sphere", "voronoi unit-cube", "sharing", "kinds")


def measure(seed: int, model: str, reward: str, numbers: tuple[int, ...]) -> dict[str, object]:
    backend = open_backend(model, cache_dir=default_cache_dir(), notice=print)
    cache = VectorCache(default_cache_dir(), notice=print)
    drawn = [v for v in variants() if reward == "linear" or v.name in NETWORKS]
    facts = study.case_study(
        lambda texts: embed_texts(backend, texts, cache=cache).astype(np.float64),
        encoder=backend.name,
        per_topic=60,
        n_comparisons=numbers,
        n_draws=1,
        reward=reward,
        texts="written",
        population="paper",
        drawn=tuple(drawn),
        exact=reward == "linear",
        rng=np.random.default_rng(seed),
    )
    return {"seed": seed, "reward": reward, "facts": plain_values(facts)}


def table(folder: Path) -> None:
    runs: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        run = json.loads(path.read_text())
        runs[path.stem.rsplit("_", 1)[0].rsplit("_", 1)[0], run["reward"]].append(run["facts"])
    for (model, reward), facts in runs.items():
        print(f"\n{model}, {reward} rewards, {len(facts)} seeds\n")
        print("distances", np.round(facts[0]["distances"], 3).tolist(), "\n")
        numbers = list(dict.fromkeys(r["n_comparisons"] for r in facts[0]["rows"]))
        heads = [f"{n:,}: leads before, after" if n else "exact: before, after" for n in numbers]
        print("| weights | mass of food and restaurants |", " | ".join(heads), "|")
        print("|---" * (2 + len(heads)) + "|")
        rows = [r for f in facts for r in f["rows"]]
        for scheme in dict.fromkeys((r["scheme"], r["space"]) for r in rows):
            mine = [r for r in rows if (r["scheme"], r["space"]) == scheme]
            mass = [r["mass"] for r in mine]
            cells = []
            for n in numbers:
                of = [r for r in mine if r["n_comparisons"] == n]
                led, kept = (round(sum(r[k] for r in of)) for k in ("led", "kept"))
                cells.append(f"{led}, {kept} of {len(of)}")
            name = Variant(*scheme).name
            print(f"| {name} | {min(mass):.2f} to {max(mass):.2f} |", " | ".join(cells), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "table"))
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(10)))
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--reward", default="linear", choices=("linear", "mlp"))
    parser.add_argument("--numbers", type=int, nargs="*", default=[1_000, 20_000])
    parser.add_argument("--out", type=Path, default=Path("."))
    given = parser.parse_args()
    if given.what == "table":
        table(given.out)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    study.OPTIONS = Options(max_products=BUDGET)
    for seed in given.seeds:
        found = measure(seed, given.model, given.reward, tuple(given.numbers))
        name = f"{Path(given.model).name}_{given.reward}_{seed}.json"
        (given.out / name).write_text(json.dumps(found))
        print(name, flush=True)


if __name__ == "__main__":
    main()
