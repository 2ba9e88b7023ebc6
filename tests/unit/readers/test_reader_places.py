"""Folders, patterns, addresses: what people type for files, and what is not followed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.errors import InputError
from cr_audit.readers import places, read, remote
from cr_audit.readers.places import _fits, expand

ROWS = '{"prompt": "p%d", "chosen": "yes %d", "rejected": "no %d"}\n'


def rows(first: int, n: int) -> str:
    return "".join(ROWS % (k, k, k) for k in range(first, first + n))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    (data / "sub" / "deep").mkdir(parents=True)
    (data / "b.jsonl").write_text(rows(0, 3))
    (data / "a.jsonl").write_text(rows(3, 3))
    (data / "sub" / "deep" / "c.JSONL").write_text(rows(6, 3))
    (data / "README.md").write_text("words")
    (data / ".hidden.jsonl").write_text(rows(9, 1))
    (data / ".git").mkdir()
    (data / ".git" / "d.jsonl").write_text("no data")
    return data


def test_a_folder_is_its_data_files_in_order_and_the_rest_is_said(folder: Path) -> None:
    found = expand([str(folder)])
    names = ["a.jsonl", "b.jsonl", "sub/deep/c.JSONL"]
    assert found.files == [str(folder / n) for n in names]
    said = "\n".join(found.said())
    assert "README.md" in said
    assert ".hidden.jsonl" in said
    assert ".git" in said
    assert "d.jsonl" not in said
    data = read(found.files)
    assert data.report.rows_read == 9


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_out_of_a_folder_are_not_followed(folder: Path) -> None:
    outside = folder.parent / "secret.jsonl"
    outside.write_text(rows(20, 1))
    (folder / "z.jsonl").symlink_to(outside)
    (folder / "y").symlink_to(folder.parent, target_is_directory=True)
    (folder / "x.jsonl").symlink_to(folder / "a.jsonl")
    (folder / "w.jsonl").symlink_to(folder / "gone.jsonl")
    for typed in (str(folder), f"{folder}/**"):
        found = expand([typed])
        assert str(folder / "x.jsonl") in found.files
        assert not [f for f in found.files if f.endswith("z.jsonl") or "secret" in f]
        assert not [f for f in found.files if f.startswith(str(folder / "y"))]
        assert str(folder / "z.jsonl") in found.skipped["a link that leads out of the folder"]
    assert expand([str(outside), str(folder / "z.jsonl")]).files[1] == str(folder / "z.jsonl")


def test_patterns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert expand([f"{folder}/*.jsonl"]).files == [str(folder / n) for n in ("a.jsonl", "b.jsonl")]
    assert len(expand([f"{folder}/**/*.[jJ]*"]).files) == 3
    monkeypatch.chdir(folder)
    assert expand(["?.jsonl"]).files == ["a.jsonl", "b.jsonl"]
    assert expand(["-", "a.jsonl"]).files == ["-", "a.jsonl"]
    both = expand(["a.jsonl", "*.jsonl"])
    assert both.files == ["a.jsonl", "b.jsonl"]
    assert both.skipped["as it was named before"] == ["a.jsonl"]


@given(
    st.lists(st.sampled_from(["a", "ab", "b.c", "x"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "a*", "*", "**", "?", "*.c"]), min_size=1, max_size=4),
)
def test_a_path_fits_as_a_regular_expression_says(parts: list[str], wanted: list[str]) -> None:
    one = {"a": "a/", "a*": "a[^/]*/", "*": "[^/]*/", "**": "([^/]*/)*", "?": "[^/]/"}
    one["*.c"] = r"[^/]*\.c/"
    expected = re.fullmatch("".join(one[w] for w in wanted), "".join(f"{p}/" for p in parts))
    assert _fits(parts, wanted) == (expected is not None)


def test_a_file_with_such_a_name_is_that_file(folder: Path) -> None:
    name = folder / "[ab].jsonl"
    name.write_text(rows(30, 2))
    assert expand([str(name)]).files == [str(name)]
    assert expand([str(name), str(name)]).files == [str(name)] * 2


def test_what_is_no_pattern_goes_to_the_reader(tmp_path: Path) -> None:
    missing = str(tmp_path / "gone.jsonl")
    assert expand([missing, "a\x00b*"]).files == [missing, "a\x00b*"]
    with pytest.raises(InputError, match="no such file"):
        read(expand([missing]).files)


@pytest.mark.parametrize("typed", ["empty", "empty/*.jsonl", "empty/**"])
def test_nothing_found_is_an_error_with_a_step(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".x.csv").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        expand([typed])
    assert caught.value.slug == "no_data_files"
    assert "ls empty" in str(caught.value.next_step)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(12):
        (tmp_path / f"{k}.csv").touch()
    monkeypatch.setattr(places, "MAX_FILES", 11)
    with pytest.raises(InputError, match="12 files, and at most 11"):
        expand([str(tmp_path)])
    monkeypatch.setattr(places, "MAX_SEEN", 5)
    for typed in (str(tmp_path), f"{tmp_path}/*"):
        with pytest.raises(InputError, match="more than 5"):
            expand([typed])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may open anything")
def test_a_closed_folder_is_said(folder: Path) -> None:
    (folder / "sub").chmod(0)
    try:
        assert str(folder / "sub") in expand([str(folder)]).skipped["as it cannot be opened"]
    finally:
        (folder / "sub").chmod(0o755)


@pytest.mark.parametrize(
    ("address", "slug"),
    [
        ("ftp://host/a.jsonl", "unknown_address"),
        ("file:///etc/passwd", "unknown_address"),
        ("hf://datasets/a/b/c.jsonl::file://x", "unknown_address"),
        ("hf://models/a/b", "unknown_address"),
        ("hf://datasets/a/b/c.jsonl", "offline"),
        ("s3://bucket/a.jsonl", "no_library_for_address"),
        ("gs://bucket/*.jsonl", "no_library_for_address"),
    ],
)
def test_addresses_that_cannot_be_read(
    address: str, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    real = remote.find_spec
    monkeypatch.setattr(
        remote, "find_spec", lambda name: None if name in ("s3fs", "gcsfs") else real(name)
    )
    for ask in (lambda: expand([address]), lambda: read([address])):
        with pytest.raises(InputError) as caught:
            ask()
        assert caught.value.slug == slug
        assert caught.value.next_step


def test_a_store_is_read_as_a_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own store in memory stands for one on the network."""
    import fsspec

    monkeypatch.setitem(remote.STORES, "memory", ("fsspec", "fsspec", "cp ADDRESS ."))
    store = fsspec.filesystem("memory")
    for name, text in (("b.jsonl", rows(0, 2)), ("a.jsonl", rows(2, 2)), ("notes.txt", "x")):
        store.pipe_file(f"/box/{name}", text.encode())
    try:
        wanted = ["memory:///box/a.jsonl", "memory:///box/b.jsonl"]
        assert expand(["memory://box"]).files == wanted
        assert expand(["memory://box/*.jsonl"]).files == wanted
        data = read(wanted)
        assert data.report.rows_read == 4
        assert [f.path for f in data.report.files] == wanted
        assert data.report.files[0].n_bytes == len(rows(2, 2))
        for missing in ("memory://box/none.jsonl", "memory://box/*.csv"):
            with pytest.raises(InputError) as caught:
                read(expand([missing]).files)
            assert caught.value.next_step
    finally:
        store.rm("/box", recursive=True)
