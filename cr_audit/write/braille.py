"""A slope chart in braille dots, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from cr_audit.blocks import Slope

# Bits of the dots of one braille cell, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BLANK = 0x2800


def braille_rows(slopes: Sequence[Slope], width: int) -> list[list[tuple[str, int]]]:
    """One row of ``width`` cells per slope: (character, index of the slope drawn last, -1 = none).

    Marked slopes are drawn last, over the others.
    """
    n = len(slopes)
    bits = [[0] * width for _ in range(n)]
    owner = [[-1] * width for _ in range(n)]
    for k in sorted(range(n), key=lambda i: (slopes[i].marked, i)):
        slope = slopes[k]
        top, bottom = 4 * slope.left + 1.5, 4 * slope.right + 1.5
        steps = max(2 * width, 4 * n) * 2
        for step in range(steps + 1):
            t = step / steps
            x = min(int(t * 2 * width), 2 * width - 1)
            y = int(top + (bottom - top) * t + 0.5)
            bits[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
            owner[y // 4][x // 2] = k
    return [
        [(chr(_BLANK + b) if b else " ", o) for b, o in zip(*row, strict=True)]
        for row in zip(bits, owner, strict=True)
    ]
