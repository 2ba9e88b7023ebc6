"""Near-copies of any text by small edits, as the clones of a stress test need them."""

from __future__ import annotations

from itertools import product

OPENERS = ("", "Well, ", "So, ", "In short: ", "Sure! ", "OK. ", "To answer: ", "Right. ")
ENDINGS = ("", " Thanks!", " Hope this helps.", " That is all.", " Good luck!", " Enjoy.")
SWAPS: tuple[tuple[str, str], ...] = (
    ("", ""),
    (". ", "! "),
    (", ", " - "),
    (" and ", " & "),
    (" is ", " really is "),
)
N_VARIANTS = len(OPENERS) * len(ENDINGS) * len(SWAPS) - 1
"""Different edits; a text that holds none of the words of a swap has fewer different copies."""


def edited(text: str, variant: int) -> str:
    """``text`` with the edit number ``variant`` (0 to ``N_VARIANTS`` - 1), never ``text`` itself.

    An edit is an opener, an ending and the first place of one swap; variants with one change come
    before those with two, and those before three. Where the swap does not apply, or the text is
    empty, an ending stands in, so the copy differs from its source.
    """
    if not 0 <= variant < N_VARIANTS:
        raise ValueError(f"variants lie in 0..{N_VARIANTS - 1}, not {variant}")
    opener, ending, (old, new) = _VARIANTS[variant]
    out = text.replace(old, new, 1) if old else text
    out = opener + out.rstrip() + ending
    return out if out != text else out + "."


_VARIANTS = sorted(
    product(OPENERS, ENDINGS, SWAPS), key=lambda v: (v[0] != "") + (v[1] != "") + (v[2][0] != "")
)[1:]
