"""``cr-audit refit`` as a user meets it."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from PIL import Image

from cr_audit.contract import schema
from cr_audit.write.png import to_png

SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_data"
FILE = str(SAMPLES / "clone_robust.jsonl")
QUICK = ("--model", "lexical", "--replicates", "100", "-q")
Run = Callable[..., Any]


def test_the_report_answers_in_words_and_fits_its_width(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in ("80", "120"):
        monkeypatch.setenv("COLUMNS", width)
        done = run("refit", FILE, *QUICK)
        assert done.code == 0
        assert max(len(line) for line in done.out.splitlines()) <= int(width)
        text = " ".join(done.out.replace("▌", "").split())
        assert "The standard fit puts boreal-7b first" in text
        assert "the weighted fit atlas-2" in text
        for part in ("Rewards by model", "Ranks", "Where it comes from", "Decisions", "How sure"):
            assert part in done.out
        assert "CR203" in done.out


def test_json_is_valid_and_the_same_twice(run: Run) -> None:
    one = run("refit", FILE, *QUICK, "--format", "json", "--penalty", "auto")
    two = run("refit", FILE, *QUICK, "--format", "json", "--penalty", "auto")
    assert one.code == 0
    assert one.out == two.out
    document = json.loads(one.out)
    jsonschema.validate(document, schema())
    rewards = document["rewards"]
    assert rewards["unit"] == "model"
    assert len(rewards["values"]) == len(document["alternatives"])
    assert sum(c["flagged"] for c in rewards["changes"]) == 2
    assert {c["cluster"] for c in rewards["changes"] if c["flagged"]} == {
        rewards["clone_groups"][0]["id"]
    }
    described = schema()["$defs"]
    assert set(rewards) <= set(described["Rewards"]["properties"])
    assert set(rewards["changes"][0]) <= set(described["RewardChange"]["properties"])
    reading = {"schema", "map", "max_skipped", "expand_choices", "ratings_to_pairs"}
    assert reading <= set(document["settings"])


def test_fail_on_and_exit_zero(run: Run) -> None:
    assert run("refit", FILE, *QUICK, "--weighted", "--fail-on", "error").code == 1
    assert run("refit", FILE, *QUICK, "--weighted", "--fail-on", "error", "--exit-zero").code == 0
    clean = str(SAMPLES / "clean.jsonl")
    assert run("refit", clean, *QUICK, "--weighted", "--fail-on", "error").code == 0


def test_without_files_the_last_ones_are_read_again_and_named(run: Run, tmp_path: Path) -> None:
    none = run("refit")
    assert none.code == 2
    assert "name a file" in none.err
    odd = Path("odd.jsonl")
    rows = (SAMPLES / "clone_robust.jsonl").read_text().splitlines()
    renamed = [line.replace('"prompt"', '"what"', 1) for line in rows]
    odd.write_text("\n".join(renamed) + "\n")
    mapping = "prompt=what,left=response_a,right=response_b,label=winner"
    first = run("scan", str(odd), "--map", mapping, "--model", "lexical", "--replicates", "10")
    assert first.code == 0, first.err
    again = run("refit", "--model", "lexical", "--replicates", "20", "--format", "json")
    assert again.code == 0, again.err
    assert "no FILE given; data set of the last one read: odd.jsonl" in again.err
    assert json.loads(again.out)["dataset"]["files"][0]["path"] == "odd.jsonl"


def test_the_settings_file_names_the_data_set(run: Run) -> None:
    Path("cr-audit.toml").write_text(
        f'files = ["{FILE}"]\nmodel = "lexical"\nreplicates = 20\n'.replace(
            "replicates", "n-replicates"
        )
    )
    run("scan", str(SAMPLES / "clean.jsonl"), "--model", "lexical")
    done = run("refit", "--penalty", "0.1", "--format", "json")
    assert done.code == 0, done.err
    assert "data set of cr-audit.toml" in done.err
    document = json.loads(done.out)
    assert document["dataset"]["rows_read"] == 2100
    assert document["rewards"]["penalty"] == 0.1
    Path("cr-audit.toml").write_text("files = 3\n")
    assert run("refit").code in (2, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--weighted", "--standard"), 2, "exclude"),
        (("--penalty", "0"), 2, "above 0"),
        (("--penalty", "much"), 2, "above 0"),
        (("--penalty", "nan"), 2, "above 0"),
        (("--reward", "tabulr"), 2, "tabular"),
        (("--plot", "x.jpg"), 2, ".svg and .png"),
        (("--plot", "svg"), 2, ".svg and .png"),
        (("--plot", "x.svg", "--format", "json", "-o", "x.svg"), 2, "one file"),
        (("--plot", "x.svg", "--plot", "./x.svg"), 2, "one file"),
        (("--plot", "no/folder/x.png"), 4, "choose another --plot"),
        (("--model", "none", "--weighted"), 4, "needs weights"),
        (("--model", "none", "--reward", "linear"), 2, "vectors"),
    ],
)
def test_what_cannot_be_done_says_what_to_do(
    run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run("refit", FILE, "--replicates", "10", *arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "next:" in done.err


def test_the_standard_fit_alone(run: Run) -> None:
    done = run("refit", FILE, "--standard", "--model", "none", "--replicates", "50")
    assert done.code == 0
    assert "Only the standard fit was made" in done.out
    assert "boreal-7b leads" in done.out


def test_the_plot_is_an_svg_of_escaped_text_and_the_same_twice(run: Run) -> None:
    hostile = Path("hostile.jsonl")
    text = (SAMPLES / "clone_robust.jsonl").read_text()
    evil = json.dumps('<script>alert("x")</script>\x1b[31m&amp;\u202e')
    hostile.write_text(text.replace('"boreal-7b"', evil))
    pictures = []
    for name in ("a.svg", "b.svg"):
        assert run("refit", str(hostile), *QUICK, "--plot", name).code == 0
        pictures.append(Path(name).read_text())
    assert pictures[0] == pictures[1]
    root = ElementTree.fromstring(pictures[0])
    assert root.tag.endswith("svg")
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert "\x1b" not in pictures[0]
    assert "\u202e" not in pictures[0]
    assert len(re.findall("<line", pictures[0])) == 7


def test_the_png_is_the_svg_in_pixels_and_the_same_twice(run: Run) -> None:
    for name in ("a.svg", "a.png", "b.PNG"):
        assert run("refit", FILE, *QUICK, "--plot", name).code == 0
    content = Path("a.png").read_bytes()
    assert content == Path("b.PNG").read_bytes()
    assert content == to_png(Path("a.svg").read_text())
    with Image.open("a.png") as picture:
        colours = {c: n for n, c in picture.convert("RGB").getcolors(1 << 20)}
    # One line goes up and one goes down, on white.
    assert colours[(0x1A, 0x7F, 0x37)] > 1000
    assert colours[(0xCF, 0x22, 0x2E)] > 1000
    assert max(colours, key=colours.__getitem__) == (255, 255, 255)


def test_without_the_extra_png_says_what_to_install_before_any_work(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    for command in (("refit", "missing.jsonl"), ("simulate", "table-3")):
        done = run(*command, "--plot", "x.png")
        assert done.code == 4
        assert "pip install 'resvg-py>=0.5' fontpkg-noto-sans==" in done.err
        assert not Path("x.png").exists()
    assert run("simulate", "table-3", "--plot", "x.svg").code == 0


def test_markdown_escapes(run: Run) -> None:
    hostile = Path("hostile.jsonl")
    text = (SAMPLES / "clone_robust.jsonl").read_text()
    hostile.write_text(text.replace('"boreal-7b"', json.dumps("a|b`<b>@me")))
    done = run("refit", str(hostile), *QUICK, "--format", "markdown")
    assert done.code == 0
    assert "### Rewards" in done.out
    assert "a|b" not in done.out
    assert "<b>" not in done.out


def test_one_weighting_stands_in_a_report(run: Run) -> None:
    """Win rates and fits are by the same weights, and which and why is said; the paper's stand
    beside them, whichever are used."""
    done = run("refit", FILE, *QUICK, "--format", "json")
    document = json.loads(done.out)
    assert document["weights"]["method"] == "sharing"
    assert document["voronoi"]["used"] is False
    rewards = document["rewards"]
    assert rewards["weights_choice"]["value"] == "sharing"
    assert rewards["weights_choice"]["reason"].startswith("clones share one vote")
    assert rewards["weighted"]["weights"].startswith("sharing")
    asked = json.loads(run("refit", FILE, *QUICK, "--weights", "voronoi", "--format", "json").out)
    assert asked["rewards"]["weighted"]["weights"] == "voronoi on the sphere"
    assert asked["weights"]["method"] == "voronoi"
    assert asked["voronoi"]["used"] is True
    assert asked["voronoi"]["values"] is None
    assert asked["weights"]["values"] == document["voronoi"]["values"]
    assert asked["win_rates"] != document["win_rates"]


def test_csv_holds_the_rewards_and_html_the_chart(run: Run) -> None:
    done = run("refit", FILE, *QUICK, "--format", "csv", "--report", "html=r.html")
    assert done.code == 0, done.err
    rows = list(csv.DictReader(done.out.splitlines()))
    assert len(rows) == 7
    assert [row["name"] for row in rows][:2] == ["boreal-7b", "atlas-2"]
    assert (rows[0]["rank_standard"], rows[0]["rank_weighted"]) == ("1", "2")
    for row in rows:
        shift = float(row["reward_weighted"]) - float(row["reward_standard"])
        assert float(row["shift"]) == pytest.approx(shift, abs=1e-8)
        assert float(row["shift_low"]) <= float(row["shift_high"])
    assert Path("r.html").read_text().count("<figure") >= 1


PAIRS = [
    {"prompt": f"p{k}", "response_a": f"one {k}", "response_b": f"two {k}", "winner": side}
    for k, side in enumerate(("model_a", "model_b", "tie"))
]


@pytest.mark.parametrize("command", ["refit", "leaderboard", "sensitivity"])
def test_a_model_compared_with_itself_is_no_ranking_and_the_advice_works(
    command: str, run: Run
) -> None:
    rows = [{**row, "model_a": "m", "model_b": "m"} for row in PAIRS]
    Path("same.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = run(command, "same.jsonl", *QUICK, "--unit", "model")
    assert (done.code, done.out) == (4, "")
    assert "no two different models were compared" in done.err
    assert "use --unit response" in done.err
    assert run(command, "same.jsonl", *QUICK, "--unit", "response").code == 0


def test_one_comparison_is_told_to_get_more_and_not_to_draw_otherwise(run: Run) -> None:
    Path("one.jsonl").write_text(json.dumps(PAIRS[0]), encoding="utf-8")
    done = run("refit", "one.jsonl", *QUICK)
    assert done.code == 4
    assert done.err.splitlines()[-1].strip() == "next: collect more data"


def test_stress_never_advises_the_unit_that_was_asked_for(run: Run) -> None:
    rows = [{**row, "model_a": "m", "model_b": "n"} for row in PAIRS]
    Path("two.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for unit in ("model", "response"):
        done = run("stress", "two.jsonl", "--model", "lexical", "-q", "--unit", unit)
        assert done.code == 4
        assert "use --unit model" not in done.err
        assert f"one {unit} is compared with several others" in done.err


def rows_file(path: Path, rows: list[tuple[str, str, str]]) -> str:
    """Labelled pairs of models' answers: (left, right, who won)."""
    with path.open("w", encoding="utf-8") as out:
        for k, (left, right, winner) in enumerate(rows):
            row = {"prompt": f"p{k % 3}", "model_a": left, "model_b": right, "winner": winner}
            row |= {"response_a": f"{left} on {k % 3}", "response_b": f"{right} on {k % 3}"}
            out.write(json.dumps(row) + "\n")
    return str(path)


def test_a_tie_for_the_first_place_is_a_tie(run: Run, tmp_path: Path) -> None:
    """Twelve ties among two: nobody leads with 1.00 of the resamples."""
    file = rows_file(tmp_path / "ties.jsonl", [("a", "b", "tie")] * 12)
    options = ("--unit", "model", "--model", "none", "--replicates", "100", "-q")
    done = run("refit", file, "--standard", *options)
    assert "a and b tie for the first place." in " ".join(done.out.split())
    assert "leads" not in done.out
    made = json.loads(run("refit", file, "--standard", *options, "--format", "json").out)
    first = [c["probability_first_standard"] for c in made["rewards"]["changes"]]
    assert first == [0.5, 0.5]


def test_a_leader_that_hangs_on_the_penalty_is_undecided(run: Run, tmp_path: Path) -> None:
    """x beats strong opponents narrowly, y weak ones often: y leads where the penalty pulls all
    rewards together, x where it lets them apart; at 0.1 halved and doubled both do."""
    rows = [("x", "s", "model_a")] * 22 + [("x", "s", "model_b")] * 18
    rows += [("y", "w", "model_a")] * 36 + [("y", "w", "model_b")] * 4
    rows += [("s", "w", "model_a")] * 37 + [("s", "w", "model_b")] * 3
    file = rows_file(tmp_path / "open.jsonl", rows)
    options = ("--unit", "model", "--model", "none", "--replicates", "100", "-q", "--format")
    found = {}
    for penalty in ("0.001", "0.03", "0.1", "0.3", "1"):
        asked = ("--standard", "--penalty", penalty, *options, "json")
        found[penalty] = json.loads(run("refit", file, *asked).out)["rewards"]["penalty_path"]
        assert found[penalty]["n_penalties"] == 3
        assert found[penalty]["high"] == 4 * found[penalty]["low"]
    assert found["0.001"]["standard_decided"]
    assert found["1"]["standard_decided"]
    assert found["0.001"]["standard"][0]["leaders"] != found["1"]["standard"][0]["leaders"]
    at = next(p for p, path in found.items() if not path["standard_decided"])
    text = run("refit", file, "--standard", "--penalty", at, *options, "table").out
    text = " ".join(text.replace("▌", "").split())
    assert "ndecided between x and y" in text
    assert "Which of them leads hangs on the penalty" in text
    assert "leads (" not in text


def test_many_separate_rankings_are_counted_and_lead_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six prompts of three answers each: rows of two prompts share nothing, so that there are six
    rankings; single votes say nothing beyond noise, and a next step stands there all the same."""
    monkeypatch.setenv("COLUMNS", "80")
    colours = ("red", "green", "blue", "white", "black", "brown")
    lines = [
        {"prompt": f"Why {c}?", "chosen": f"{c} {x} because", "rejected": f"{c} {y} therefore"}
        for c in colours
        for x, y in (("one", "two"), ("two", "three"), ("one", "three"))
        for _ in range(4)
    ]
    for line in lines:
        for side in ("chosen", "rejected"):
            line[side] = line[side].replace("therefore", "because")
    path = tmp_path / "six.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    options = ("--reward", "tabular", "--unit", "response", *QUICK)
    done = run("refit", str(path), *options)
    assert done.code == 0, done.err
    text = " ".join(done.out.replace("▌", "").split())
    assert "None of 6 separate rankings changes beyond the noise." in text
    assert "No response changes sides" not in text
    ranks = [line for line in done.out.splitlines() if re.match(r" *\d → \d of 3 ", line)]
    assert len(ranks) == 3
    assert "every ranking: --details, --format csv or json" in text
    assert "\nRanks" not in done.out
    assert "\nNext" in done.out
    whole = run("refit", str(path), *options, "--details").out
    assert len(re.findall(r"\d → \d of 3 ", whole)) >= 15
    document = json.loads(run("refit", str(path), *options, "--format", "json").out)
    assert len(document["rewards"]["changes"]) == 18


def test_separate_pairs_without_texts_lead_to_why_they_are_apart(run: Run, tmp_path: Path) -> None:
    rows = [(f"a{i}", f"b{i}", "model_a") for i in range(6) for _ in range(5)]
    file = rows_file(tmp_path / "apart.jsonl", rows)
    done = run("refit", file, "--unit", "model", "--model", "none", "--replicates", "100", "-q")
    assert "cr-audit explain CR302" in done.out
