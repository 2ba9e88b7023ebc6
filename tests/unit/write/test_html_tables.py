"""Tables of a page: from left to right, what a row is about stands before its numbers."""

from __future__ import annotations

import re

import pytest

from cr_audit.blocks import Cell, Column, Table
from cr_audit.write.html.parts import Page


def heads(*columns: Column) -> list[str]:
    rows = [tuple(Cell(f"{c.title} of {k}") for c in columns) for k in range(2)]
    markup = Page().table(Table.of(columns, rows, name="made"))
    titles = re.findall(r"<th scope[^>]*>(.*?)</th>", markup)
    first = re.search(r"<tbody>\s*<tr>(.*?)</tr>", markup)
    assert first is not None
    cells = re.findall(r"<td[^>]*>(.*?)</td>", first[1])
    assert cells == [f"{t} of 0" for t in titles], "cells stand under their heads"
    return titles


NUMBER, COUNT, TEXT = Column("n", "number"), Column("c", "count"), Column("text", "line")


@pytest.mark.parametrize(
    "columns", [(Column("what"), NUMBER, COUNT, TEXT), (COUNT, NUMBER, TEXT), (COUNT, TEXT)]
)
def test_a_text_at_the_end_comes_before_its_numbers(columns: tuple[Column, ...]) -> None:
    assert heads(*columns)[0] == "text"


@pytest.mark.parametrize(
    "columns",
    [
        (Column("prompt", "line"), NUMBER, TEXT),  # named already
        (Column("id", "id"), NUMBER, TEXT),
        (COUNT, Column("model", "line"), NUMBER, TEXT),
        (NUMBER, TEXT, COUNT),
        (TEXT,),
    ],
)
def test_other_tables_keep_their_order(columns: tuple[Column, ...]) -> None:
    assert heads(*columns) == [c.title for c in columns]
