"""One field of the raw rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from cr_audit.errors import InputError, UsageError
from cr_audit.readers.columns import read_columns


def test_values_by_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        '{"lang": "de", "meta": {"k": 3}}\n\n{"lang": " ", "meta": {}}\n{"lang": true}\n'
    )
    (found,) = read_columns([str(path)], ("lang", "meta.k"), option="--by")
    assert found[1] == ("de", "3")
    assert found[3] == (None, None)
    assert found[4] == ("true", None)


def test_a_field_that_no_row_has(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError) as error:
        read_columns([str(path)], ("lang",), option="--by")
    assert error.value.slug == "no-such-field"
    assert "a" in str(error.value.found)


def test_a_pipe_cannot_be_read_twice() -> None:
    with pytest.raises(UsageError, match="a second time"):
        read_columns(["-"], ("lang",), option="--by")
