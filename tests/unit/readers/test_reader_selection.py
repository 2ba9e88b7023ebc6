"""--limit and --sample: which rows are used, and that the report says so."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from cr_audit.arrays import NotApplicable
from cr_audit.data.dataset import PreferenceDataset, Selection
from cr_audit.errors import InputError, UsageError
from cr_audit.heads import what_was_read
from cr_audit.readers import read

ROW = '{"prompt": "p%d", "chosen": "yes %d", "rejected": "no %d"}\n'


def write(path: Path, first: int, n: int) -> str:
    path.write_text("".join(ROW % (k, k, k) for k in range(first, first + n)))
    return str(path)


def prompts(data: PreferenceDataset) -> list[int]:
    return [int(t[1:]) for t in data.prompts["text"].to_list()]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [write(tmp_path / "a.jsonl", 0, 300), write(tmp_path / "b.jsonl", 300, 500)]


@pytest.mark.parametrize("n", [1, 7, 299, 300, 301, 799])
def test_the_first_rows_of_all_files_together(files: list[str], n: int) -> None:
    data = read(files, limit=n)
    assert prompts(data) == list(range(n))
    assert data.report.rows_read == n
    assert [f.n_rows for f in data.report.files] == [min(n, 300), max(n - 300, 0)]
    whole = [hashlib.sha256(Path(f).read_bytes()).hexdigest() for f in files]
    assert [f.sha256 for f in data.report.files] == whole
    assert isinstance(data.report.selection, Selection)
    assert f"(--limit {n})" in what_was_read(data)


def test_all_rows_where_there_are_no_more(files: list[str]) -> None:
    for data in (read(files, limit=800), read(files, sample=800, rng=np.random.default_rng(0))):
        assert prompts(data) == list(range(800))
        assert isinstance(data.report.selection, NotApplicable)
        assert "--" not in what_was_read(data)


def test_a_sample_is_drawn_without_replacement_in_order_and_by_the_seed(files: list[str]) -> None:
    seen = [prompts(read(files, sample=60, rng=np.random.default_rng(seed))) for seed in (3, 3, 4)]
    assert seen[0] == seen[1] != seen[2]
    for one in seen:
        assert one == sorted(set(one))
        assert len(one) == 60
    data = read(files, sample=60, rng=np.random.default_rng(3))
    assert data.report.selection == Selection("sample", 60, 800)
    assert "drawn from 800 (--sample 60)" in what_was_read(data)


def test_every_row_is_as_likely(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.jsonl", 0, 5), write(tmp_path / "b.jsonl", 5, 15)]
    rng, n = np.random.default_rng(1), 400
    hits = np.zeros(20)
    for _ in range(n):
        hits[prompts(read(paths, sample=5, rng=rng))] += 1
    # Each is binomial with n = 400, p = 1/4: five standard deviations are 43.
    assert np.abs(hits - n / 4).max() < 43


@pytest.mark.parametrize("suffix", [".json", ".csv", ".jsonl.gz", ".parquet"])
def test_every_container(tmp_path: Path, suffix: str) -> None:
    import polars as pl

    frame = pl.DataFrame(
        {
            "prompt": [f"p{k}" for k in range(250)],
            "chosen": [f"yes {k}" for k in range(250)],
            "rejected": [f"no {k}" for k in range(250)],
        }
    )
    path = tmp_path / f"a{suffix}"
    match suffix:
        case ".json":
            path.write_text(frame.write_json())
        case ".csv":
            frame.write_csv(path)
        case ".parquet":
            frame.write_parquet(path)
        case _:
            path.write_bytes(gzip.compress(frame.write_ndjson().encode()))
    assert prompts(read([str(path)], limit=9)) == list(range(9))
    some = read([str(path)], sample=40, rng=np.random.default_rng(0))
    assert some.report.rows_read == 40
    assert some.report.selection == Selection("sample", 40, 250)
    assert some.report.files[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_does_not_go_together(files: list[str]) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="two things"):
        read(files, limit=1, sample=1, rng=rng)
    with pytest.raises(UsageError, match="standard input"):
        read(["-"], sample=1, rng=rng, stdin=io.BytesIO(b"{}"))
    with pytest.raises(InputError):
        read([*files, "gone.jsonl"], sample=1, rng=rng)
    first = io.BytesIO("".join(ROW % (k, k, k) for k in range(5)).encode())
    assert prompts(read(["-"], limit=2, stdin=first)) == [0, 1]


def test_unusable_rows_count_as_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("no json\n" + "".join(ROW % (k, k, k) for k in range(4)))
    data = read([str(path)], limit=3, max_skipped=0.5)
    assert data.report.rows_read == 3
    assert data.report.rows_skipped == 1
    assert prompts(data) == [0, 1]
