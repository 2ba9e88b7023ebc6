"""Containers and their failures: what is read, and what each failure says."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest
import zstandard

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError, UsageError
from cr_audit.readers import containers, read

ROWS = [
    {"prompt": "Why?", "chosen": 'good, "quoted"\nline', "rejected": "bad"},
    {"prompt": "Why?", "chosen": "better é 光", "rejected": "bad"},
    {"prompt": "How?", "chosen": "so", "rejected": "not so"},
]
JSONL = b"".join(orjson.dumps(r) + b"\n" for r in ROWS)


def parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame(ROWS).write_parquet(out)
    return out.getvalue()


def table(separator: str) -> bytes:
    return pl.DataFrame(ROWS).write_csv(separator=separator).encode()


BODIES: dict[str, Callable[[], bytes]] = {
    "jsonl": lambda: JSONL,
    "json": lambda: orjson.dumps(ROWS, option=orjson.OPT_INDENT_2),
    "csv": lambda: table(","),
    "tsv": lambda: table("\t"),
    "parquet": parquet,
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def contents(data: PreferenceDataset) -> tuple[object, ...]:
    return (
        data.prompts["text"].to_list(),
        data.alternatives["id"].to_list(),
        data.comparisons.select("winner", "loser").rows(),
    )


def expected() -> tuple[object, ...]:
    return contents(read(["-"], stdin=io.BytesIO(JSONL)))


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("container", BODIES)
def test_every_container_gives_the_same_data(container: str, packer: str, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"  # the name says nothing: content decides
    packed = PACKERS[packer](BODIES[container]())
    path.write_bytes(packed)
    data = read([str(path)])
    assert contents(data) == expected()
    file = data.report.files[0]
    assert (file.container, file.compression, file.n_rows) == (container, packer, 3)
    assert file.n_bytes == len(packed)
    import hashlib

    assert file.sha256 == hashlib.sha256(packed).hexdigest()


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    def lines(body: bytes) -> list[int]:
        data = read(["-"], stdin=io.BytesIO(body))
        return data.comparisons["line"].to_list()

    assert lines(JSONL) == [1, 2, 3]
    assert lines(b"\n\n" + JSONL.replace(b"\n", b"\r\n\r\n")) == [3, 5, 7]
    assert lines(BODIES["csv"]()) == [3, 4, 5]  # the first record ends on the third line
    assert lines(BODIES["json"]()) == [1, 2, 3]
    assert lines(parquet()) == [1, 2, 3]


def test_blocks_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 7, 64, len(JSONL), len(JSONL) + 1):
        monkeypatch.setattr(containers, "_BLOCK", size)
        data = read(["-"], stdin=io.BytesIO(JSONL))
        assert contents(data) == expected()
        assert data.comparisons["line"].to_list() == [1, 2, 3]


def test_json_in_its_forms() -> None:
    for body in (
        orjson.dumps({"data": ROWS}),
        orjson.dumps({"version": "1", "rows": ROWS}, option=orjson.OPT_INDENT_2),
        b"\xef\xbb\xbf" + orjson.dumps(ROWS),
        b"\xef\xbb\xbf" + JSONL,
        JSONL.rstrip(),
    ):
        assert contents(read(["-"], stdin=io.BytesIO(body))) == expected()
    one = read(["-"], stdin=io.BytesIO(orjson.dumps(ROWS[0], option=orjson.OPT_INDENT_2)))
    assert one.comparisons.height == 1


def test_one_row_that_holds_one_list_is_a_row() -> None:
    row = {"parent_id": 3, "answers": [{"text": "a", "rank": 1}, {"text": "b", "rank": 2}]}
    data = read(["-"], stdin=io.BytesIO(orjson.dumps(row)))
    assert data.choice_sets.height == 1


def test_several_files_keep_their_places(tmp_path: Path) -> None:
    paths = []
    for i, name in enumerate(("csv", "jsonl")):
        path = tmp_path / f"{i}.{name}"
        path.write_bytes(BODIES[name]())
        paths.append(str(path))
    data = read([*paths, "-"], stdin=io.BytesIO(JSONL))
    assert data.comparisons["file"].to_list() == [0] * 3 + [1] * 3 + [2] * 3
    assert [f.path for f in data.report.files] == [*paths, "-"]
    assert data.n_alternatives == 5  # the same content in three files is one thing
    assert data.report.noted["duplicate_row"] == 6


def test_zstd_frames_one_after_the_other_are_one_file() -> None:
    half = len(ROWS[0]["prompt"]) + 30
    pack = zstandard.ZstdCompressor().compress
    body = pack(JSONL[:half]) + pack(JSONL[half:])
    assert contents(read(["-"], stdin=io.BytesIO(body))) == expected()


def refused(body: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(["-"], stdin=io.BytesIO(body))
    assert caught.value.exit_code == 3
    return caught.value


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b" \n\n ", "empty"),
        (b"[]", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "binary"),
        (b"\xff\xfe{\x00", "not_utf8"),
        (JSONL.replace(b"so", b"s\xe9"), "not_utf8"),
        (BODIES["csv"]().replace(b"How", b"H\xe9w"), "not_utf8"),
        (b'[{"a": "\xe9"}]', "not_utf8"),
        (JSONL[:-20], "truncated"),
        (BODIES["json"]()[:-20], "truncated"),
        (parquet()[:-20], "truncated"),
        (parquet()[:20] + b"\x00" * 20 + parquet()[40:-8] + b"PAR1", "damaged"),
        (gzip.compress(JSONL, mtime=0)[:-20], "truncated"),
        (zstandard.ZstdCompressor().compress(JSONL)[:-2], "truncated"),
        (gzip.compress(JSONL, mtime=0)[:-8] + b"\x00" * 8, "damaged"),
        (b'a,b\n1,"open', "truncated"),
        (b"a,a\n1,2\n", "bad_header"),
        (b"only words here", "unknown_container"),
        (b"1\n2\n3\n", "unknown_container"),
        (b"[1, 2, 3]", "no_rows"),
    ],
)
def test_an_unreadable_file_is_told_once(body: bytes, slug: str) -> None:
    error = refused(body)
    assert error.slug == slug
    assert error.where is not None
    assert error.where.startswith("-")


def test_the_place_and_the_bytes_are_named() -> None:
    error = refused(JSONL.replace(b"so", b"s\xe9", 1))
    assert error.where == "-:3"
    assert error.found == r"b'\xe9\"'" or error.found is not None
    assert "iconv" in (error.next_step or "")
    assert refused(JSONL[:-20]).where == "-:3"


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    def slug(path: str) -> str:
        with pytest.raises(InputError) as caught:
            read([path])
        return caught.value.slug

    assert slug(str(tmp_path / "none.jsonl")) == "file_missing"
    assert slug(str(tmp_path)) == "is_directory"
    assert slug("a\x00b") == "unreadable"
    assert slug("-") == "no_stdin"
    if os.geteuid() != 0:
        secret = tmp_path / "secret.jsonl"
        secret.write_bytes(JSONL)
        secret.chmod(0)
        assert slug(str(secret)) == "no_permission"


def test_usage_is_checked_before_anything_is_read() -> None:
    for call, slug in (
        (lambda: read([]), "no_files"),
        (lambda: read(["-", "-"], stdin=io.BytesIO(JSONL)), "stdin_twice"),
        (lambda: read(["-"], max_skipped=1.5), "bad_share"),
        (lambda: read(["-"], schema="labeled_pair"), "unknown_schema"),
        (lambda: read(["-"], mapping={"promt": "x"}), "unknown_role"),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.slug == slug


def test_bad_rows_are_skipped_with_their_lines() -> None:
    body = b"\n".join(
        [*[JSONL.split(b"\n")[0]] * 200, b"{broken", b"[1]", b"7", b"[" * 5000, JSONL]
    )
    data = read(["-"], stdin=io.BytesIO(body), max_skipped=0.05)
    assert data.report.skipped_by_reason == {
        "invalid_json": 1,
        "nested_too_deeply": 1,
        "not_an_object": 2,
    }
    assert data.report.rows_read == 207
    assert data.report.rows_skipped == 4
    found = {(i.reason, i.line) for i in data.report.examples if i.reason != "duplicate_row"}
    assert found >= {("invalid_json", 201), ("not_an_object", 202), ("nested_too_deeply", 204)}
    with pytest.raises(InputError) as caught:
        read(["-"], stdin=io.BytesIO(body))
    assert caught.value.slug == "too_many_skipped"
    assert caught.value.details[0].startswith("-:201 (row): invalid_json")


def test_what_orjson_refuses_is_read() -> None:
    good = JSONL.split(b"\n")[0]
    body = b"\n".join(
        [
            good,
            b'{"prompt": "a", "chosen": "x\\ud800y", "rejected": "z", "score": NaN}',
            b'{"prompt": "a", "chosen": "p", "rejected": "q", "n": 123456789012345678901234567890}',
            b'{"prompt": "a", "prompt": "b", "chosen": "p", "rejected": "q"}',
        ]
    )
    data = read(["-"], stdin=io.BytesIO(body))
    assert data.report.rows_skipped == 0
    assert data.report.noted["lone_surrogate"] == 1
    assert "x�y" in data.alternatives["text"].to_list()
    assert data.prompts["text"].to_list() == ["Why?", "a", "b"]


def test_a_line_of_ten_megabytes() -> None:
    row = {"prompt": "Why?", "chosen": "x" * 10_000_000, "rejected": "y"}
    data = read(["-"], stdin=io.BytesIO(orjson.dumps(row) + b"\n" + JSONL))
    assert data.alternatives["text"].str.len_bytes().max() == 10_000_000


def test_a_zstd_bomb_is_read_in_small_steps() -> None:
    """64 MiB of spaces in a few kB: blank lines are passed over without holding them all."""
    body = zstandard.ZstdCompressor().compress(JSONL + (b" " * 1023 + b"\n") * 65536)
    assert len(body) < 20_000
    assert read(["-"], stdin=io.BytesIO(body)).comparisons.height == 3


def test_progress_counts_bytes(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(JSONL)
    seen: list[tuple[int, int]] = []
    read([str(path)], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(JSONL), len(JSONL))
    read(["-"], stdin=io.BytesIO(JSONL), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(JSONL), 0)
