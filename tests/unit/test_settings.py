"""One table of settings: values, sources, checks, and that everything else comes from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from cr_audit.cli.config import read_config
from cr_audit.errors import InputError, UsageError
from cr_audit.settings import (
    ANALYSIS,
    READING,
    SETTINGS,
    Settings,
    bytes_of,
    check_value,
    parse_count,
    parse_map,
    parse_penalty,
    resolve,
)

OUTSIDE: dict[str, list[Any]] = {
    "container": ["xml"],
    "max_skipped": [-0.01, 1.01, "much", True],
    "unit": ["models", 3],
    "weights": ["voronio"],
    "space": ["cube"],
    "scope": ["all"],
    "radius": [-0.1, 1.0],
    "precision": [0.0, 1.5],
    "n_replicates": [9, 10.5, True],
    "resample": ["rows"],
    "confidence_level": [0.4, 1.0],
    "device": ["gpu", "cuda:1", 0],
    "index": ["annoy", "HNSW", 1],
    "kinds": [0, 1.5, True, "many", 1001],
    "paraphrase_fpr": [-0.1, 0.6, "x", float("nan")],
    "penalty": [0, -1.0, "much", float("inf"), float("nan")],
    "reward": ["forest"],
    "seed": [-1, 1.5],
    "expand_choices": ["yes", 1],
    "ratings_to_pairs": [None.__class__],
    "count_weighted": ["no"],
    "schema": [3],
    "row_weights": [3, True],
    "model": [False],
    "map": ["prompt=q", {"prompt": 3}],
    "max_bytes": [0, 1.5],
    "max_text": [0, "much"],
    "limit": [0, 1.5, "all"],
    "sample": [0, -1, True],
    "memory": ["63MiB", "2", "GiB", "-2GiB", "2 TB", "2GiB or so", 2, True],
}


def test_every_setting_is_read_or_analysed_and_none_twice() -> None:
    assert {*READING, *ANALYSIS} == set(SETTINGS)
    assert not set(READING) & set(ANALYSIS)
    assert {f.name: f.default for f in dataclasses.fields(Settings)} == {
        name: SETTINGS[name].default for name in ANALYSIS
    }


@pytest.mark.parametrize("name", [n for n in SETTINGS if n != "files"])
def test_defaults_pass_their_own_check(name: str) -> None:
    check_value(name, SETTINGS[name].default, "default")


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in OUTSIDE.items() for v in values]
)
def test_a_value_outside_is_refused_and_named(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        check_value(name, value, "cr-audit.toml")
    assert caught.value.slug == "bad-value"
    assert SETTINGS[name].option.partition("/")[0] in caught.value.message
    assert "cr-audit.toml" in (caught.value.found or "")


def test_no_setting_with_a_range_is_left_untested() -> None:
    assert set(OUTSIDE) == {n for n in SETTINGS if n != "files"}


@pytest.mark.parametrize("name", [n for n, s in SETTINGS.items() if s.kind in ("number", "whole")])
def test_both_ends_of_a_range_are_allowed(name: str) -> None:
    setting = SETTINGS[name]
    kind = int if setting.kind == "whole" else float
    for end in (setting.low, setting.high):
        if end not in (float("inf"), float("-inf")):
            check_value(name, kind(end), "flag")


def test_a_flag_counts_before_the_file_and_the_file_before_the_default() -> None:
    given = resolve({"seed": 7}, {"seed": 3, "unit": "model"}, "cr-audit.toml")
    assert (given.analysis.seed, given.analysis.unit, given.analysis.space) == (
        7,
        "model",
        "sphere",
    )
    sources = given.sources
    assert (sources["seed"], sources["unit"], sources["space"]) == (
        "flag",
        "cr-audit.toml",
        "default",
    )


def test_a_map_is_read_and_a_broken_one_is_refused() -> None:
    assert parse_map("prompt=q, chosen = better") == {"prompt": "q", "chosen": "better"}
    assert parse_map(None) is None
    with pytest.raises(UsageError, match="ROLE=FIELD"):
        parse_map("prompt")


def test_a_count_is_a_whole_number_where_it_is_one() -> None:
    assert (parse_count("7"), parse_count("auto"), parse_count(None)) == (7, "auto", None)
    assert parse_count("7.5") == "7.5"  # and is refused with the others
    check_value("kinds", 1000, "flag")


def test_a_penalty_is_a_number_where_it_is_one() -> None:
    assert (parse_penalty("0.1"), parse_penalty("auto"), parse_penalty(None)) == (
        0.1,
        "auto",
        None,
    )


def test_the_settings_file_takes_keys_and_flags_names(tmp_path: Path) -> None:
    path = tmp_path / "cr-audit.toml"
    path.write_text('replicates = 50\nmax-skipped = 0.5\nfiles = ["a.jsonl"]\n[gate]\nunit = "x"\n')
    config = read_config(path)
    assert config.values == {
        "n_replicates": 50,
        "max_skipped": 0.5,
        "files": [str(tmp_path / "a.jsonl")],
    }
    assert config.policy == {"unit": "x"}


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "cr-audit.toml"
    path.write_text("radios = 0.4\n")
    with pytest.raises(InputError) as caught:
        read_config(path)
    assert caught.value.next_step == "did you mean radius?"


@pytest.mark.parametrize("text", ["a = ", "gate = 3", "files = 3"])
def test_a_broken_file_is_an_input_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cr-audit.toml"
    path.write_text(text)
    with pytest.raises(InputError):
        read_config(path)


def test_deep_nesting_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "cr-audit.toml"
    path.write_text("a = " + "[" * 20_000 + "]" * 20_000)
    with pytest.raises(InputError, match="not valid TOML"):
        read_config(path)


@pytest.mark.parametrize(
    ("size", "n"),
    [
        ("2GiB", 2 * 2**30),
        ("1.5gib", 3 * 2**29),
        (" 500 MB ", 500_000_000),
        ("2GB", 2 * 10**9),
        ("131072KiB", 2**27),
        (None, None),
        ("much", None),
    ],
)
def test_a_size_is_a_number_with_a_unit(size: str | None, n: int | None) -> None:
    assert bytes_of(size) == n
    if n is not None:
        check_value("memory", size, "flag")
