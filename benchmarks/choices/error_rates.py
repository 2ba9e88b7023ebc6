"""Seeds on which lists with and without a planted violation are called one.

    python -m benchmarks.choices.error_rates --seeds 200

Three kinds of data, 2,000 lists of four each: the dichotomy model of [IIA] (two kinds of answer,
60 % of the annotators want the first, half of what is offered is of it); a logit on the kind and a
reward of its own for every answer; and the same logit where the first of four is chosen in 35 %.
"""

from __future__ import annotations

import argparse
import io
import json
from collections import Counter

import numpy as np

from cr_audit.families.choices.compute import ChoiceSettings, judge_lists
from cr_audit.families.choices.facts import IiaTest, Verdict
from cr_audit.readers import read
from cr_audit.streams import stream

N_LISTS, SIZE = 2000, 4


def drawn(kind: str, rng: np.random.Generator) -> bytes:
    """One data set as JSON lines of Nectar's shape; the models are the kinds."""
    first = rng.random((N_LISTS, SIZE)) < 0.5
    if kind == "dichotomy":
        taste = rng.random(N_LISTS) < 0.6
        liked = first == taste[:, None]
        liked[~liked.any(axis=1)] = True
        utility = np.where(liked, rng.random((N_LISTS, SIZE)), -1.0)
    else:
        utility = 0.5 * first + rng.normal(0, 0.5, first.shape) + rng.gumbel(size=first.shape)
        if kind == "position":
            # 35 % of the choices fall to the first place: ln(0.35 / 0.65 · 3) above the others.
            utility[:, 0] += np.log(0.35 / (0.65 / 3))
    chosen = utility.argmax(axis=1)
    rows = []
    for i in range(N_LISTS):
        answers = [
            {"answer": f"{i} {j}", "model": "one" if f else "two", "rank": 1 + int(j != chosen[i])}
            for j, f in enumerate(first[i])
        ]
        rows.append(json.dumps({"prompt": f"q{i}", "answers": answers}))
    return "\n".join(rows).encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=200)
    args = parser.parse_args()
    settings = ChoiceSettings(category="models", n_replicates=10)
    for kind in ("dichotomy", "logit", "position"):
        called, by, places = 0, Counter[str](), 0
        for seed in range(args.seeds):
            data = read(["-"], stdin=io.BytesIO(drawn(kind, np.random.default_rng(seed))))
            judged = judge_lists(data, settings, stream=lambda name: stream(0, name))
            called += judged.verdict(settings.level) is Verdict.VIOLATED
            found = (t for row in judged.tests for t in row if isinstance(t, IiaTest))
            by.update(str(t.kind) for t in found if t.adjusted <= settings.level)
            places += bool(getattr(judged.positions, "found", False))
        print(f"{kind}: {called} of {args.seeds} called a violation {dict(by)}, places {places}")


if __name__ == "__main__":
    main()
