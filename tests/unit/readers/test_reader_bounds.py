"""Bounds of reading, with the limits lowered so that small files exceed them."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import orjson
import polars as pl
import pytest
import zstandard

from cr_audit import readers
from cr_audit.errors import InputError
from cr_audit.readers import Bounds, bounds, build, containers, parquet, read, streams
from cr_audit.readers.parsing import DEEPEST, too_deep


def row(i: int = 0, **more: object) -> dict[str, object]:
    return {"prompt": f"q{i}", "chosen": f"good {i}", "rejected": f"bad {i}", **more}


def jsonl(*rows: dict[str, object]) -> bytes:
    return b"".join(orjson.dumps(r) + b"\n" for r in rows)


SOME = [row(i) for i in range(40)]


def refused(body: bytes, **limits: int) -> InputError:
    with pytest.raises(InputError) as caught:
        read(["-"], stdin=io.BytesIO(body), bounds=Bounds(**limits), max_skipped=0.2)
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_bytes_are_counted_once_unpacked(pack: object) -> None:
    body = jsonl(*SOME)
    packed = pack(body)  # type: ignore[operator]
    read(["-"], stdin=io.BytesIO(packed), bounds=Bounds(max_bytes=len(body)))
    error = refused(packed, max_bytes=len(body) - 1)
    assert error.slug == "too_many_bytes"
    assert "--max-bytes" in str(error.next_step)


def test_what_unpacks_too_far_stops_unless_a_number_of_bytes_was_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "RATIO_FROM", 100_000)
    body = gzip.compress(jsonl(*SOME) + b" \n" * 1_000_000)
    assert refused(body).slug == "unpacks_too_far"
    held = read(["-"], stdin=io.BytesIO(body), bounds=Bounds(max_bytes=10_000_000))
    assert held.comparisons.height == 40


def test_a_text_at_the_limit_and_above() -> None:
    body = jsonl(*SOME, row(chosen="x" * 1000))
    read(["-"], stdin=io.BytesIO(body), bounds=Bounds(max_text=1000))
    for field in ("prompt", "chosen"):
        error = refused(jsonl(*SOME, row(**{field: "x" * 1001})), max_text=1000)
        assert (error.slug, error.where) == ("text_too_long", "-:41")


def test_a_row_across_blocks_stops_before_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_BLOCK", 64_000)
    monkeypatch.setattr(bounds, "_SMALLEST_ROW", 100_000)
    error = refused(jsonl(*SOME, row(extra="x" * 300_000)), max_text=10)
    assert (error.slug, error.where) == ("row_too_long", "-:41")
    monkeypatch.setattr(containers, "_BLOCK", 1 << 22)
    assert refused(jsonl(*SOME, row(extra="x" * 300_000)), max_text=20).slug == "row_too_long"


@pytest.mark.parametrize("body", ['"' + "x" * 300_000 + '"', '"' + "x\n" * 150_000])
def test_a_cell_and_a_quote_that_is_not_closed(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_SMALLEST_ROW", 100_000)
    head = "prompt,chosen,rejected\n" + "q,a,b\n" * 30
    error = refused((head + f"q,{body},b\n").encode(), max_text=10)
    assert (error.slug, error.where) == ("row_too_long", "-:32")


def test_fields_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (containers, parquet):
        monkeypatch.setattr(module, "MAX_FIELDS", 50)
    wide = row(**{f"k{i}": i for i in range(60)})
    assert refused(jsonl(*SOME, wide)).slug == "too_many_fields"
    assert refused(orjson.dumps([*SOME, wide])).slug == "too_many_fields"
    assert refused(pl.DataFrame([wide]).write_csv().encode()).slug == "too_many_fields"
    out = io.BytesIO()
    pl.DataFrame([wide]).write_parquet(out)
    assert refused(out.getvalue()).slug == "too_many_fields"
    monkeypatch.setattr(readers, "MAX_LATE", 20)
    assert refused(jsonl(*[row(i, **{f"k{i}": i}) for i in range(400)])).slug == "too_many_fields"
    monkeypatch.setattr(build, "MAX_ROWS", 30)
    assert refused(jsonl(*SOME)).slug == "too_many_rows"
    monkeypatch.setattr(build, "MAX_UNUSABLE", 3)
    assert refused(jsonl(*SOME[:10]) + b"1\n" * 5).slug == "too_many_rows"


def test_a_json_document_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_VALUES", 1000)
    assert refused(orjson.dumps([*SOME, row(x=[[]] * 2000)])).slug == "document_too_long"


@pytest.mark.parametrize("text", [True, False])
def test_a_parquet_dictionary(text: bool) -> None:
    """A few kB whose values, written out, are many MB."""
    wide = pl.DataFrame({"i": range(2000)}).select(
        prompt=pl.lit("x" * (10_000 if text else 1)),
        chosen=pl.when(pl.col("i") >= 0).then(pl.lit("a")),
        rejected=pl.when(pl.col("i") >= 0).then(pl.lit("b")),
    )
    out = io.BytesIO()
    wide.write_parquet(out)
    assert len(out.getvalue()) < 50_000
    error = refused(out.getvalue(), max_bytes=5_000_000 if text else 20_000)
    assert error.slug == "too_many_bytes"


def test_a_parquet_file_reads_the_same_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    pl.DataFrame([row(i, tags=["a", str(i)], more={"n": i}) for i in range(50)]).write_parquet(out)
    whole = read(["-"], stdin=io.BytesIO(out.getvalue()))
    monkeypatch.setattr(parquet, "SLICE_BYTES", 300)
    parts = read(["-"], stdin=io.BytesIO(out.getvalue()))
    assert parts.alternatives.equals(whole.alternatives)
    assert parts.comparisons.equals(whole.comparisons)


def test_headers_that_are_none_are_damage(tmp_path: Path) -> None:
    out = io.BytesIO()
    pl.DataFrame(SOME).write_parquet(out)
    body = bytearray(out.getvalue())
    size = int.from_bytes(body[-8:-4], "little")
    body[-8 - size : -8] = b"\xff" * size
    assert refused(bytes(body)).slug == "damaged"


@pytest.mark.parametrize("levels", [DEEPEST + 1, 700, 1000, 50_000])
@pytest.mark.parametrize("inner", ["1", "NaN"])
@pytest.mark.parametrize("sides", ["[]", '{"a":|}'])
def test_deep_values_are_unusable_rows(levels: int, inner: str, sides: str) -> None:
    left, right = sides.split("|") if "|" in sides else sides
    deep = left * levels + inner + right * levels
    body = jsonl(*SOME) + f'{{"prompt": {deep}, "chosen": "a", "rejected": "b"}}\n'.encode()
    data = read(["-"], stdin=io.BytesIO(body), max_skipped=0.2)
    assert data.comparisons.height == 40
    two = jsonl(*SOME) + (f'{{"p": {deep}}}' * 2 + "\n").encode()
    assert read(["-"], stdin=io.BytesIO(two), max_skipped=0.2).comparisons.height == 40


def test_depth_is_counted_in_lists_and_objects() -> None:
    value: object = 1
    for i in range(DEEPEST):
        value = [value] if i % 2 else {"a": value}
    assert not too_deep(value)
    assert too_deep([value])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_without_a_writer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    monkeypatch.setattr(streams, "PIPE_SECONDS", 0.2)
    with pytest.raises(InputError) as caught:
        read([str(path)])
    assert caught.value.slug == "pipe_without_writer"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system")
def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    body = jsonl(*[row(i) for i in range(5000)])
    writer = threading.Thread(target=lambda: path.write_bytes(body))
    writer.start()
    data = read([str(path)])
    writer.join()
    assert data.comparisons.height == 5000
    assert data.report.files[0].n_bytes == len(body)
