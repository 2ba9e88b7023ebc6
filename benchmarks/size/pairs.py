"""Generated DPO pairs for measurements of size: ``python -m benchmarks.size.pairs N FILE``.

Prompts of 12 to 49 words and two responses of 60 to 259, of 60,000 invented words (one to three of
twenty syllables, so that 8,420 of them differ), the k-th as often as k^-1.05; 3 % of the rejected
responses are the chosen one with three words drawn anew. A million pairs are 1.85 GB and take a
minute of processor time.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

SYLLABLES = re.findall("..", "bacedifogukaleminopurasetivowaxeyizoster")
N_WORDS, EXPONENT, COPIED, CHANGED = 60_000, 1.05, 0.03, 3
_PLACES = 1 << 22  # of the table by which a word is drawn in one look-up
_AT_ONCE = 5_000


def main(arguments: list[str]) -> None:
    """One line for each pair."""
    n, rng = int(arguments[0]), np.random.default_rng(7)
    words = ["".join(rng.choice(SYLLABLES, size=rng.integers(1, 4))) for _ in range(N_WORDS)]
    share = 1 / np.arange(1, N_WORDS + 1) ** EXPONENT
    ends = np.round(np.concatenate([[0], np.cumsum(share / share.sum())]) * _PLACES).astype(int)
    table = np.repeat(np.arange(N_WORDS), np.diff(ends)).astype(np.int32)

    def text(drawn: np.ndarray) -> str:
        return " ".join(map(words.__getitem__, drawn.tolist()))

    with Path(arguments[1]).open("w") as out:
        for start in range(0, n, _AT_ONCE):
            m = min(_AT_ONCE, n - start)
            sizes = [rng.integers(12, 50, m), rng.integers(60, 260, m), rng.integers(60, 260, m)]
            length = np.stack(sizes, 1).ravel()
            stop = np.cumsum(length)
            drawn = table[rng.integers(0, table.size, stop[-1])]
            parts = np.split(drawn, stop[:-1])
            copied = rng.random(m) < COPIED
            for i in range(m):
                asked, better, worse = parts[3 * i : 3 * i + 3]
                if copied[i]:
                    worse = better.copy()
                    anew = table[rng.integers(0, table.size, CHANGED)]
                    worse[rng.integers(worse.size, size=CHANGED)] = anew
                out.write(
                    f'{{"prompt": "{text(asked)}", "chosen": "{text(better)}",'
                    f' "rejected": "{text(worse)}"}}\n'
                )


if __name__ == "__main__":
    main(sys.argv[1:])
