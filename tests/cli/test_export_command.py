"""``cr-audit export``: rows come back as they went in, and a clean set stays clean."""

from __future__ import annotations

import csv
import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.cli.conftest import Run
from tests.hostile import HOSTILE

QUICK = ("--model", "lexical", "-q")


def words(i: int, n: int = 14) -> str:
    """A text whose words no other number shares, nor words that are near."""
    return " ".join(blake2b(f"{i} {k}".encode(), digest_size=4).hexdigest() for k in range(n))


def pair(prompt: int, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    return {
        "prompt": f"ask {words(10_000 + prompt)}",
        "chosen": chosen,
        "rejected": rejected,
    } | more


def edited(text: str) -> str:
    """The same text with one word of fourteen replaced: a near clone, later in the alphabet, so
    that of the two the text itself is the medoid."""
    return text.rsplit(" ", 1)[0] + " zother"


def put(path: str, rows: list[dict[str, Any]]) -> None:
    Path(path).write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def some_pairs(n: int = 12) -> list[dict[str, Any]]:
    rows = [pair(i, words(2 * i), words(2 * i + 1)) for i in range(n)]
    # A copy of the answer to prompt 0, which met an opponent of its own.
    return [*rows, pair(0, edited(words(0)), words(900))]


def test_rows_keep_their_bytes(run: Run) -> None:
    """Escapes, numbers, key order, spaces and doubled keys stand as they stood."""
    text = [
        '{"prompt":"a \\u00e9 q",  "chosen": "x\\/y one two three", "rejected":"b", "n": 1.50}',
        '{"prompt": "c", "chosen": "d four five", "rejected": "e", "n": 12345678901234567890123}',
        '{"rejected": "\\ud800 lone", "chosen": "seven eight", "prompt": "z", "n": 1e2, "n": 3}',
    ]
    Path("in.jsonl").write_text("\n".join(text) + "\n", encoding="utf-8")
    done = run("export", "in.jsonl", "-o", "out.jsonl", *QUICK)
    assert done.code == 0, done.err
    for before, after in zip(text, Path("out.jsonl").read_text().splitlines(), strict=True):
        assert after.startswith(before[:-1])
        added = json.loads(after)
        assert {"cr_weight", "cr_weight_chosen", "cr_cluster_rejected", "cr_flags"} <= set(added)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_hostile_rows_come_out_as_they_went_in(run: Run, suffix: str) -> None:
    texts = [t for t in HOSTILE if t.strip() and "\ud800" not in t]
    rows = [pair(i, t + words(i), "no " + t) for i, t in enumerate(texts)]
    put("in.jsonl", rows)
    done = run("export", "in.jsonl", "-o", f"out.{suffix}", *QUICK)
    assert done.code == 0, done.err
    if suffix == "csv":
        with open("out.csv", encoding="utf-8", newline="") as file:
            found: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        found = (
            lines("out.jsonl") if suffix == "jsonl" else pl.read_parquet("out.parquet").to_dicts()
        )
    for before, after in zip(rows, found, strict=True):
        assert {k: after[k] for k in before} == before


def test_a_lone_surrogate_is_kept_as_an_escape_and_refused_elsewhere(run: Run) -> None:
    Path("in.jsonl").write_text(
        '{"prompt": "p", "chosen": "a \\ud800 b", "rejected": "c"}\n', encoding="ascii"
    )
    assert run("export", "in.jsonl", "-o", "out.jsonl", *QUICK).code == 0
    assert b"a \\ud800 b" in Path("out.jsonl").read_bytes()
    for name in ("out.csv", "out.parquet"):
        done = run("export", "in.jsonl", "-o", name, *QUICK)
        assert done.code == 4
        assert "in.jsonl:1" in done.err
        assert not Path(name).exists()


def test_tables_come_back_by_value_and_type(run: Run) -> None:
    frame = pl.DataFrame(
        {
            "prompt": ["p q r", "s t u"],
            "chosen": ['one, "two"\r\nthree', "four\nfive"],
            "rejected": ["six", "seven"],
            "small": pl.Series([1, None], dtype=pl.Int8),
        }
    )
    frame.write_parquet("in.parquet")
    assert run("export", "in.parquet", "-o", "out.parquet", *QUICK).code == 0
    again = pl.read_parquet("out.parquet")
    assert again.select(frame.columns).equals(frame)
    assert again.schema["small"] == pl.Int8
    frame.write_csv("in.csv")
    assert run("export", "in.csv", "-o", "out.csv", *QUICK).code == 0
    assert (
        pl.read_csv("out.csv")
        .select("prompt", "chosen", "rejected")
        .equals(frame.select("prompt", "chosen", "rejected"))
    )


def test_json_arrays_keep_the_text_of_each_row(run: Run) -> None:
    Path("in.json").write_text(
        '[\n {"prompt": "p",\n  "chosen": "a \\u0041", "rejected": "c", "n": 1.0e1}\n]\n'
    )
    assert run("export", "in.json", "-o", "out.jsonl", *QUICK).code == 0
    line = Path("out.jsonl").read_text()
    assert '"chosen": "a \\u0041"' in line
    assert '"n": 1.0e1' in line


def test_weights_are_the_products_of_alternative_weights(run: Run) -> None:
    put("in.jsonl", some_pairs())
    # Clusters alone: what else near neighbours would share depends on the encoder.
    args = ("--weights", "cluster", "--format", "json", *QUICK)
    done = run("export", "in.jsonl", "-o", "out.jsonl", *args)
    rows = lines("out.jsonl")
    weight = np.array([r["cr_weight"] for r in rows])
    product = np.array([r["cr_weight_chosen"] * r["cr_weight_rejected"] for r in rows])
    assert weight.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weight, product / product.mean(), rtol=1e-6)
    # The two copies share one vote: each of their rows weighs half of any other.
    assert weight[0] == pytest.approx(weight[1] / 2)
    assert weight[12] == pytest.approx(weight[1] / 2)
    assert rows[0]["cr_cluster_chosen"] == rows[12]["cr_cluster_chosen"] is not None
    assert rows[0]["cr_flags"] == rows[12]["cr_flags"] == ["CR101"]
    part = json.loads(done.out)["export"]
    assert part["weighting"]["effective_size"] == pytest.approx(
        float(weight.sum() ** 2 / (weight**2).sum()), rel=1e-6
    )
    meta = json.loads(Path("out.jsonl.meta.json").read_text())
    assert meta["weighting"]["formula"] == part["weighting"]["formula"]
    assert meta["weighting"]["source"]


def test_a_taken_column_is_refused_and_can_be_named(run: Run) -> None:
    put("in.jsonl", [r | {"cr_weight": 3} for r in some_pairs()])
    done = run("export", "in.jsonl", "-o", "out.jsonl", *QUICK)
    assert done.code == 2
    assert "--weight-column" in done.err
    assert not Path("out.jsonl").exists()
    assert run("export", "in.jsonl", "-o", "o.jsonl", "--weight-column", "w", *QUICK).code == 0
    assert lines("o.jsonl")[0]["cr_weight"] == 3
    assert lines("o.jsonl")[0]["w"] > 0


def test_no_input_is_written_over(run: Run) -> None:
    put("in.jsonl", some_pairs())
    before = Path("in.jsonl").read_bytes()
    Path("link.jsonl").symlink_to("in.jsonl")
    Path("hard.jsonl").hardlink_to("in.jsonl")
    for target in ("in.jsonl", "link.jsonl", "hard.jsonl"):
        assert run("export", "in.jsonl", "-o", target, *QUICK).code == 2
    more = ("export", "in.jsonl", "--as", "clean", "-o", "o.jsonl", "--dropped")
    assert run(*more, "in.jsonl", *QUICK).code == 2
    assert run(*more, "o.jsonl", *QUICK).code == 2
    assert Path("in.jsonl").read_bytes() == before


def test_what_export_wants_is_said(run: Run) -> None:
    put("in.jsonl", some_pairs())
    for args in (["in.jsonl"], ["in.jsonl", "-o", "out.txt"], ["-", "-o", "out.jsonl"]):
        done = run("export", *args, *QUICK, stdin=b"{}")
        assert done.code in (2, 3)
        assert "next:" in done.err


def messy() -> list[dict[str, Any]]:
    """Repeats, copies, a copy with an opponent of its own, contradictions, boilerplate."""
    rows = some_pairs(20)
    rows += rows[:6]  # repeats
    rows += [pair(1, edited(words(2)), words(3))]  # a copy of row 1
    rows += [pair(2, words(4), edited(words(4)))]  # a copy against its own medoid
    rows += [pair(3, words(7), words(6))] * 3  # three against the one of row 3
    rows += [pair(4, words(9), words(8))]  # one against one
    rows += [pair(50 + i, words(2_000 + i), "I cannot help with that, sorry.") for i in range(4)]
    return rows


@pytest.mark.parametrize("contradictions", ["majority", "drop"])
def test_a_second_scan_finds_nothing_of_what_was_removed(run: Run, contradictions: str) -> None:
    put("in.jsonl", messy())
    args = ("--contradictions", contradictions, "--drop-boilerplate", "--dropped", "gone.jsonl")
    done = run(
        "export", "in.jsonl", "--as", "clean", "-o", "out.jsonl", *args, "--format", "json", *QUICK
    )
    assert done.code == 0, done.err
    part = json.loads(done.out)["export"]
    gone = {r["reason"]: r["n_rows"] for r in part["left_out"]}
    kept = lines("out.jsonl")
    assert part["n_written"] == len(kept)
    assert part["n_read"] == len(messy()) == len(kept) + sum(gone.values())
    assert len(lines("gone.jsonl")) == sum(gone.values())
    assert gone["boilerplate"] == 4
    assert gone["copies_compared"] == 1
    first = pair(3, words(6), words(7))
    other = pair(3, words(7), words(6))
    assert kept.count(first) == 0
    assert kept.count(other) == (1 if contradictions == "majority" else 0)
    # The copy that met an opponent of its own gives its judgement to the medoid.
    assert pair(0, words(0), words(900)) in kept
    assert part["n_rewritten"] >= 1
    rules = {
        f["rule"]
        for f in json.loads(run("scan", "out.jsonl", "--format", "json", *QUICK).out)["findings"]
    }
    assert not rules & {"CR101", "CR102", "CR103", "CR402", "CR403"}


def test_rows_that_stay_keep_their_bytes_and_their_order(run: Run) -> None:
    put("in.jsonl", messy())
    assert run("export", "in.jsonl", "--dedupe", "-o", "out.jsonl", *QUICK).code == 0
    before = Path("in.jsonl").read_bytes().splitlines()
    after = Path("out.jsonl").read_bytes().splitlines()
    same = [line for line in after if line in before]
    assert len(same) >= len(after) - 1
    assert same == sorted(same, key=before.index)


@pytest.mark.parametrize("layout", ["messages", "transcript"])
def test_the_text_of_a_copy_is_replaced_in_every_layout(run: Run, layout: str) -> None:
    def shaped(row: dict[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for side in ("chosen", "rejected"):
            if layout == "messages":
                out[side] = [
                    {"role": "user", "content": row["prompt"]},
                    {"role": "assistant", "content": row[side]},
                ]
            else:
                out[side] = f"\n\nHuman: {row['prompt']}\n\nAssistant: {row[side]}"
        return out

    put("in.jsonl", [shaped(r) for r in some_pairs()])
    done = run("export", "in.jsonl", "--as", "clean", "-o", "out.jsonl", "--format", "json", *QUICK)
    assert json.loads(done.out)["export"]["n_rewritten"] == 1
    assert lines("out.jsonl")[-1] == shaped(pair(0, words(0), words(900)))


def test_copies_of_other_authors_go(run: Run) -> None:
    rows = [
        {
            "prompt": "p",
            "response_a": words(a),
            "response_b": words(b),
            "model_a": f"m{a}",
            "model_b": f"m{b}",
            "winner": "model_a",
        }
        for a in range(4)
        for b in range(a)
    ]
    rows += [
        {"prompt": "p", "response_a": edited(words(0)), "response_b": words(3), "model_a": "copy",
         "model_b": "m3", "winner": "model_a"}
    ]  # fmt: skip
    put("in.jsonl", rows)
    assert run("export", "in.jsonl", "--as", "clean", "-o", "out.jsonl", *QUICK).code == 0
    assert lines("out.jsonl") == rows[:-1]


def first_step(out: str) -> list[str]:
    """The words of the first command under "Next"; a wide screen gives it one line."""
    lines = out.split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("Next  "))
    return lines[at + 1].strip().split("  ")[0].split()


def test_what_a_scan_says_to_export_leaves_something_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies under a prompt go by themselves, one answer under many prompts only on request."""
    monkeypatch.setenv("COLUMNS", "400")
    one = words(0)
    cases = {
        "copies.jsonl": some_pairs(),
        "boilerplate.jsonl": [pair(i, one, words(i + 1)) for i in range(6)] + some_pairs()[1:-1],
    }
    for file, rows in cases.items():
        put(file, rows)
        out = run("scan", file, *QUICK).out
        command = first_step(out)
        assert command[:4] == ["cr-audit", "export", file, "--as"], command
        n_before = len(lines(file))
        said = run(*command[1:], *QUICK).out
        changed = len(lines("clean.jsonl")) < n_before or "was replaced" in said
        assert changed, said
        assert "Nothing had to go" not in said


def test_a_clean_set_that_lost_nothing_says_so(run: Run) -> None:
    put("a.jsonl", some_pairs()[:-1])
    said = run("export", "a.jsonl", "--as", "clean", "-o", "b.jsonl", *QUICK).out
    assert "Nothing had to go" in said
    assert Path("b.jsonl").read_bytes() == Path("a.jsonl").read_bytes()


def test_identical_pairs_go_on_request(run: Run) -> None:
    rows = [*some_pairs(), pair(0, words(77), words(77))]
    put("in.jsonl", rows)
    more = ("--max-skipped", "0.5", *QUICK)
    assert run("export", "in.jsonl", "--as", "clean", "-o", "a.jsonl", *more).code == 0
    assert (
        run("export", "in.jsonl", "--as", "clean", "--drop-identical", "-o", "b.jsonl", *more).code
        == 0
    )
    assert lines("a.jsonl")[:-1] == lines("b.jsonl")
    assert lines("a.jsonl")[-1] == rows[-1]


def test_a_resampled_set_is_seeded_and_within_one_of_what_it_promised(run: Run) -> None:
    put("in.jsonl", some_pairs(30))
    run("export", "in.jsonl", "-o", "w.jsonl", *QUICK)
    weight = np.array([r["cr_weight"] for r in lines("w.jsonl")])
    args = ("export", "in.jsonl", "--as", "resample", "--size", "200")
    assert run(*args, "-o", "a.jsonl", *QUICK).code == 0
    assert run(*args, "-o", "b.jsonl", *QUICK).code == 0
    assert Path("a.jsonl").read_bytes() == Path("b.jsonl").read_bytes()
    drawn = Path("a.jsonl").read_bytes().splitlines()
    assert len(drawn) == 200
    for line, w in zip(Path("in.jsonl").read_bytes().splitlines(), weight, strict=True):
        assert abs(drawn.count(line) - 200 * w / weight.sum()) < 1


def big(n: int, n_repeats: int) -> list[dict[str, Any]]:
    """n pairs of which n_repeats repeat others, and of whose responses a third are near copies."""
    draw = np.random.default_rng(7)
    own = [pair(i, words(2 * i), words(2 * i + 1)) for i in range(n - n_repeats)]
    sides = draw.permutation(2 * len(own))[: 2 * len(own) // 3]
    for k in sides.tolist():
        # A copy of the response of that side of another row, under its prompt.
        row, side = own[k // 2], ("chosen", "rejected")[k % 2]
        other = own[int(draw.integers(len(own)))]
        row["prompt"] = other["prompt"]
        row[side] = edited(other[side]) if " zother" not in other[side] else other[side]
    rows = own + [own[int(i)] for i in draw.integers(0, len(own), n_repeats)]
    return [rows[i] for i in draw.permutation(n)]


@pytest.mark.slow
def test_five_thousand_pairs_come_out_clean_in_one_line(run: Run) -> None:
    """1,648 repeats and a third of the responses copies."""
    rows = big(5_000, 1_648)
    put("in.jsonl", rows)
    args = ("--dropped", "gone.jsonl", "--format", "json", *QUICK)
    part = json.loads(run("export", "in.jsonl", "--dedupe", "-o", "out.jsonl", *args).out)["export"]
    gone = {r["reason"]: r["n_rows"] for r in part["left_out"]}
    # A repeat of a row that names a copy goes with the copies.
    assert gone["repeat"] > 1_000
    assert sum(gone.values()) >= 1_648
    assert set(gone) <= {"repeat", "copy", "copies_compared", "contradiction"}
    kept, dropped = lines("out.jsonl"), lines("gone.jsonl")
    assert len(kept) == part["n_written"] == 5_000 - sum(gone.values())
    for row in dropped:
        before = rows[row["cr_line"] - 1]
        assert {k: row[k] for k in before} == before
        assert (row["cr_file"], row["cr_reason"] in gone) == ("in.jsonl", True)
    bare = ("--model", "none", "--weights", "cluster", "--format", "json", "-q")

    def found(path: str) -> set[str]:
        return {f["rule"] for f in json.loads(run("scan", path, *bare).out)["findings"]}

    assert {"CR101", "CR403"} <= found("in.jsonl")
    assert not found("out.jsonl") & {"CR101", "CR102", "CR402", "CR403"}
    again = run("export", "out.jsonl", "--dedupe", "-o", "b.jsonl", "--format", "json", *QUICK)
    assert json.loads(again.out)["export"]["left_out"] == []
    assert Path("b.jsonl").read_bytes() == Path("out.jsonl").read_bytes()


def test_a_scan_of_a_resampled_set_shows_the_mass_that_was_promised(run: Run) -> None:
    """The share of rows in which a copy stands: that of the weights, to within systematic
    resampling's own error, one row per run of copies in the file."""
    rows = [pair(i, words(2 * i), words(2 * i + 1)) for i in range(60)]
    copies = [words(0) + f" z{k}" for k in range(20)]
    rows += [pair(0, copies[k], words(900 + k)) for k in range(20)]
    put("in.jsonl", rows)
    weigh = ("--weights", "cluster")
    run("export", "in.jsonl", "-o", "w.jsonl", *weigh, *QUICK)
    weighed = lines("w.jsonl")
    copied = [r["cr_cluster_chosen"] is not None for r in weighed]
    assert sum(copied) == 21
    total = sum(r["cr_weight"] for r in weighed)
    promised = sum(r["cr_weight"] for r, c in zip(weighed, copied, strict=True) if c) / total
    assert promised < 21 / 80 / 5
    n = 400
    run("export", "in.jsonl", "--as", "resample", "--size", str(n), "-o", "r.jsonl", *weigh, *QUICK)
    args = ("--weights", "uniform", "--format", "json", *QUICK)
    run("export", "r.jsonl", "-o", "s.jsonl", *args)
    texts = {words(0), *copies}
    of = [(r["chosen"] in texts, r["cr_cluster_chosen"] is not None) for r in lines("s.jsonl")]
    # What a scan calls copies are those that were drawn (none where only one of them was).
    assert {c for is_copy, c in of if not is_copy} == {False}
    assert len({c for is_copy, c in of if is_copy}) == 1
    shown = sum(is_copy for is_copy, _ in of) / n
    assert shown == pytest.approx(promised, abs=2 / n)


def test_messages_of_trees_come_back_with_the_weight_of_their_replies(run: Run) -> None:
    """OpenAssistant's flat export: a prompt, and replies with ranks, each a line of its own."""
    rows: list[dict[str, Any]] = []
    for q in range(8):
        rows.append(
            {"message_id": f"q{q}", "parent_id": None, "role": "prompter", "text": words(900 + q)}
        )
        rows += [
            {"message_id": f"q{q}a{k}", "parent_id": f"q{q}", "role": "assistant",
             "text": words(4 * q + k), "rank": k}
            for k in range(3)
        ]  # fmt: skip
    rows[3]["text"] = edited(rows[2]["text"])
    put("in.jsonl", rows)
    done = run("export", "in.jsonl", "-o", "out.jsonl", "--weights", "cluster", *QUICK)
    assert done.code == 0, done.err
    after = Path("out.jsonl").read_bytes().splitlines()
    for a, b in zip(Path("in.jsonl").read_bytes().splitlines(), after, strict=True):
        assert b.startswith(a[:-1])
    found = lines("out.jsonl")
    for q in range(8):
        asked, *replies = found[4 * q : 4 * q + 4]
        assert (asked["cr_weight"], asked["cr_weight_chosen"], asked["cr_flags"]) == (0.0, None, [])
        assert len({r["cr_weight"] for r in replies}) == 1
    assert found[1]["cr_weight"] < found[5]["cr_weight"]
    assert found[2]["cr_weight_chosen"] == found[3]["cr_weight_chosen"]
    assert found[2]["cr_weight_chosen"] == pytest.approx(found[1]["cr_weight_chosen"] / 2)
    assert found[2]["cr_cluster_chosen"] == found[3]["cr_cluster_chosen"] is not None
    done = run("export", "in.jsonl", "--as", "clean", "-o", "c.jsonl", *QUICK)
    assert done.code == 2
    assert "--as rows" in done.err


@pytest.mark.parametrize("exit_", ["clean", "resample", "trl"])
def test_hostile_rows_leave_every_exit_as_they_came(run: Run, exit_: str) -> None:
    """Of the rows that stand in it: byte for byte, or for a trainer's layout text for text; a lone
    surrogate stays the escape that it was."""
    rows = [pair(i, t + words(2 * i), words(2 * i + 1) + t) for i, t in enumerate(HOSTILE)]
    put("in.jsonl", rows)
    more = ("--size", "200") if exit_ == "resample" else ()
    done = run("export", "in.jsonl", "--as", exit_, *more, "-o", "out.jsonl", *QUICK)
    assert done.code == 0, done.err
    before = Path("in.jsonl").read_bytes().splitlines()
    after = Path("out.jsonl").read_bytes().splitlines()
    if exit_ == "trl":
        by_prompt = {r["prompt"]: r for r in map(json.loads, after)}
        kept = [r for r in rows if "\ud800" not in r["chosen"] and r["prompt"] in by_prompt]
        assert len(kept) > len(rows) - 3
        for row in kept:
            out = by_prompt[row["prompt"]]
            assert (out["chosen"], out["rejected"]) == (row["chosen"], row["rejected"])
        assert done.out.count("\x1b") == 0
    else:
        assert set(after) <= set(before)
        assert len(set(after)) >= len(rows) - 2
        assert any(b"\\ud800" in line for line in after)
