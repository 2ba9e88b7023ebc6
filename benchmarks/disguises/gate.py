"""Does the gate stop a batch of disguised copies that change the leader?

    python -m benchmarks.disguises.gate DATA --out FILE [--sets ukp,sample] [--copies 12]
        [--disguises "NAME;..."] [--trials 1] [--mixed] [--quick]

A trial: a real data set is the baseline. Of one of its answers n copies are made, each disguised
anew and with all comparisons of the original, so that another answer leads than before. The batch
is their rows, or with ``--mixed`` these among a random tenth of the baseline's rows. One line of
JSON per trial is appended to FILE; trials that stand there already are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path

from benchmarks.disguises.edits import DISGUISES, Kit, disguised
from benchmarks.disguises.run import sentences
from benchmarks.gate.attacks import Attack, Standing, Table, copied
from benchmarks.gate.run import one_core
from benchmarks.gate.trial import Bench, described, naming, parsed, split

MIN_WORDS = 12


class Disguises:
    """One data set and its attacks. The words and sentences of noise are those of its answers."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        fields = bench.fields
        texts = sorted({fields.text(r, s) for r in bench.rows for s in (0, 1)})
        self.words = [w for t in texts for w in t.split()]
        self.sentences = [s for t in texts for s in sentences(t)]

    def attack(self, name: str, copies: int, rng: random.Random) -> Attack | None:
        """Of an answer of at least twelve words whose copies put a third one first."""
        table = Table(self.bench.rows, self.bench.fields)
        groups = sorted(table.rows)
        rng.shuffle(groups)
        for group in groups:
            standing = Standing(table.proportions(group))
            leader = standing.order[0]
            targets = table.targets(standing.p)
            rng.shuffle(targets)
            for target in targets:
                moved = standing.leader_with(target, copies)
                if target == leader or moved in (leader, target):
                    continue
                if not self.bench.fields.by_model and len(target.split()) < MIN_WORDS:
                    continue

                def edit(text: str, number: int, rng: random.Random) -> str:
                    return disguised(name, text, Kit(rng, self.words, self.sentences))

                return copied(table, group, target, copies, rng, edit=edit)
        return None

    def trial(self, name: str, copies: int, seed: int, mixed: bool) -> dict[str, object]:
        bench = self.bench
        rng = random.Random(f"{bench.name}/{name}/{copies}/{seed}")
        record: dict[str, object] = {
            "set": bench.name,
            "disguise": name,
            "family": DISGUISES[name][0],
            "copies": copies,
            "seed": seed,
            "mixed": mixed,
        }
        attack = self.attack(name, copies, rng)
        if attack is None:
            return record | {"mounted": False}
        in_batch = split(bench.rows, None, rng) if mixed else [False] * len(bench.rows)
        rows = [r for r, new in zip(bench.rows, in_batch, strict=True) if new] + attack.rows
        baseline = bench.baseline(in_batch) if mixed else bench.whole
        effect, verdict = bench.judged(baseline, parsed(rows))
        return record | described(effect, verdict) | naming(effect, verdict, attack)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default="ukp,sample")
    parser.add_argument("--copies", default="12")
    parser.add_argument("--disguises", default=";".join(DISGUISES))
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--quick", action="store_true", help="without weights and CR608 to CR612")
    parser.add_argument("--cache", type=Path, default=None, help="of vectors; else a new one")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    one_core()
    done = set()
    if args.out.exists():
        lines = [json.loads(line) for line in args.out.read_text().splitlines()]
        done = {(r["set"], r["disguise"], r["copies"], r["seed"], r["mixed"]) for r in lines}
    names = args.disguises.split(";")
    with args.out.open("a") as out:
        for dataset in args.sets.split(","):
            cache = args.cache or Path(tempfile.mkdtemp())
            made = Disguises(Bench(dataset, args.folder, cache, quick=args.quick))
            for name in names:
                for copies in map(int, args.copies.split(",")):
                    for seed in range(args.trials):
                        if (dataset, name, copies, seed, args.mixed) in done:
                            continue
                        record = made.trial(name, copies, seed, args.mixed)
                        out.write(json.dumps(record) + "\n")
                        out.flush()


if __name__ == "__main__":
    main()
