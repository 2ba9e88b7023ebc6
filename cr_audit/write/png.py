"""The SVG plots as PNG, by resvg in a font that comes with the extra ``png``.

No font of the machine is used for the characters of ``_IN_FONT``, so that the same plot has the
same bytes everywhere, given the same versions of the two packages.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

# The extra "png" of pyproject.toml.
REQUIREMENTS = ("resvg-py>=0.5", "fontpkg-noto-sans==2.15")
_PACKAGES = ("resvg_py", "fontpkg_noto_sans")
_FAMILY = "Noto Sans"
_SCALE = 2  # sharp on dense screens and in print
# Latin, Cyrillic, the Greek that is one letter each, dashes, quotes and dots: Noto Sans has all.
_IN_FONT = re.compile("[\n -~\xa0-\u024f\u0391-\u03a1\u03a3-\u03c9\u0400-\u0482\u048a-\u052f‐-‧]*")


def png_is_possible() -> bool:
    """Whether the packages of the extra ``png`` are installed."""
    return all(find_spec(name) for name in _PACKAGES)


def to_png(svg: str) -> bytes:
    """A PNG of twice the size of ``svg``, one of this program's own documents.

    Characters that Noto Sans lacks are drawn in a font of the machine, or as boxes without one.
    """
    import fontpkg_noto_sans
    import resvg_py

    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=_SCALE,
        font_files=[str(fontpkg_noto_sans.ROOT / "files" / "NotoSans[wdth,wght].ttf")],
        skip_system_fonts=_IN_FONT.fullmatch(svg) is not None,
        font_family=_FAMILY,
        sans_serif_family=_FAMILY,
    )
