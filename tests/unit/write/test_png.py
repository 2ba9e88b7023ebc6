"""PNG of the plots: the text is drawn, in the font that comes along, the same on every machine."""

from __future__ import annotations

import hashlib
import io
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hostile import HOSTILE
from PIL import Image

from cr_audit.blocks import Slope, SlopeChart
from cr_audit.write import png
from cr_audit.write.escape import visible
from cr_audit.write.png import to_png
from cr_audit.write.slope_svg import EDGE, slope_svg
from cr_audit.write.svg_text import svg_text

MEASURED = "16dcaedd630a8664f81a2c06893ce428b6c1d2a682c098f3cb45f1a6dc818344"
ROOT = Path(__file__).resolve().parents[3]
CELL = 40  # pixels of the SVG


def pixels(content: bytes) -> np.ndarray:
    """uint8 (height, width): the grey levels."""
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("L"))


def chart(*labels: str) -> str:
    slopes = tuple(Slope(x, k, k, False) for k, x in enumerate(labels))
    return slope_svg(SlopeChart("title", "a", "b", slopes), "title", "note")


def grid(texts: list[str], columns: int = 32) -> str:
    """One text in every cell of a sheet."""
    rows = -(-len(texts) // columns)
    size = f'width="{columns * CELL}" height="{rows * CELL}"'
    body = "".join(
        f'<text x="{k % columns * CELL + 8}" y="{k // columns * CELL + 26}">{svg_text(t)}</text>'
        for k, t in enumerate(texts)
    )
    style = '<rect width="9999" height="9999" fill="#fff"/><g font-family="sans-serif">'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{body}</g></svg>'


def cells(content: bytes, n: int) -> list[bytes]:
    sheet = pixels(content)
    side = 2 * CELL
    columns = sheet.shape[1] // side
    return [
        sheet[k // columns * side :, k % columns * side :][:side, :side].tobytes() for k in range(n)
    ]


def test_the_message_names_what_the_extra_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["png"] == list(png.REQUIREMENTS)


def test_the_label_is_drawn() -> None:
    drawn, empty = (pixels(to_png(chart(x, "second"))) for x in ("a" * 10, " " * 10))
    assert (drawn < 128).sum() > (empty < 128).sum() + 500


@pytest.mark.parametrize(
    "label",
    ["W" * 34, "MIXTURE-OF-EXPERTS-8X22B", "illicit", "Ж" * 34, "ж" * 34, "x" * 34],
)
def test_no_label_reaches_into_the_margin(label: str) -> None:
    drawn = pixels(to_png(chart(label, "second")))
    ink = np.flatnonzero((drawn < 200).any(axis=0))
    margin = 2 * (EDGE - 1)
    assert margin <= ink[0]
    assert ink[-1] < drawn.shape[1] - margin


def test_every_character_said_to_be_in_the_font_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a machine's font: none is loaded, and a missing character would be a box."""
    inside = [c for c in map(chr, range(33, 0x2100)) if png._IN_FONT.fullmatch(c)]
    inside = [c for c in inside if visible(c) == c and not c.isspace()]
    assert len(inside) > 700
    missing = "\u6f22"
    assert not png._IN_FONT.fullmatch(missing)
    monkeypatch.setattr(png, "_IN_FONT", re.compile(".*", re.DOTALL))
    blank, box, *drawn = cells(to_png(grid(["", missing, *inside])), len(inside) + 2)
    assert blank != box
    wrong = [c for c, cell in zip(inside, drawn, strict=True) if cell in (blank, box)]
    assert not wrong


def test_the_same_bytes_and_no_font_of_the_machine() -> None:
    """Bold, plain, Greek and Cyrillic; the number was measured with these versions."""
    content = to_png(chart("boreal-7b", "μ, Ж and é – “quoted” …"))
    assert content == to_png(chart("boreal-7b", "μ, Ж and é – “quoted” …"))
    if version("resvg_py") != "0.5.0":
        pytest.skip("another version of resvg_py may draw other pixels")
    assert hashlib.sha256(content).hexdigest() == MEASURED


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_labels_are_drawn_as_text(piece: str) -> None:
    picture = pixels(to_png(chart(visible(piece)[:34], "second")))
    assert (picture < 128).any()
