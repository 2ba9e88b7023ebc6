"""Whose policy judges: that of the protected branch, whatever the batch's branch brings along."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cr_audit.cli.config import config_of, read_config
from cr_audit.cli.protected import read_protected
from cr_audit.embed.opening import refuse_own_model
from cr_audit.errors import InputError
from cr_audit.gate.own_policy import policy_changes
from cr_audit.gate.policy import parse_policy
from tests.cli.conftest import Run


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    Path("cr-audit.toml").write_text('seed = 7\n[gate]\nprofile = "strict"\n')
    Path("known.json").write_text("{}")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")
    Path("cr-audit.toml").write_text('[gate]\nfail-on = "never"\n')
    Path("known.json").write_text('{"softer": true}')
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_a_commit_is_read_from_gits_store(checkout: Path) -> None:
    found = read_protected("main", None, Path("known.json"))
    assert found.config.policy == {"profile": "strict"}
    assert found.config.values == {"seed": 7}
    assert len(found.commit) == 40
    assert found.known == b"{}"


def test_a_file_of_the_commits_name_is_not_the_commit(checkout: Path) -> None:
    Path("main").write_text('[gate]\nfail-on = "never"\n')
    assert read_protected("main", None, None).config.policy == {"profile": "strict"}


@pytest.mark.parametrize("kind", ["tag", "annotated tag", "branch", "hexadecimal"])
def test_a_name_of_two_things_is_refused_and_its_whole_name_works(
    checkout: Path, kind: str
) -> None:
    """git takes a tag before a branch, and a local branch before that of a remote."""
    git("update-ref", "refs/remotes/origin/main", "main")
    name = "abc123" if kind == "hexadecimal" else "origin/main"
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-a", "-m", "softer")
    match kind:
        case "tag" | "hexadecimal":
            git("tag", name)
        case "annotated tag":
            git("-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "x", name)
        case _:
            git("branch", name)
    for reference in (name, f"{name}~0", f"{name}^{{commit}}"):
        with pytest.raises(InputError, match="several things") as caught:
            read_protected(reference, None, None)
        assert caught.value.exit_code == 3
    if kind == "hexadecimal":
        assert "refs/tags/abc123" in str(caught.value.next_step)
        return
    found = read_protected("refs/remotes/origin/main", None, None)
    assert found.config.policy == {"profile": "strict"}
    assert str(caught.value.next_step).endswith("refs/remotes/origin/main")


def test_two_names_of_one_commit_are_not_ambiguous(checkout: Path) -> None:
    git("tag", "main")
    assert read_protected("main", None, None).config.policy == {"profile": "strict"}


@pytest.mark.parametrize("reference", ["nowhere", "-h", "--output=owned", "main:cr-audit", ""])
def test_what_is_no_commit_is_exit_3(checkout: Path, reference: str) -> None:
    with pytest.raises(InputError, match="commit") as caught:
        read_protected(reference, None, None)
    assert caught.value.exit_code == 3
    assert not Path("owned").exists()


def test_known_findings_that_only_the_batch_brings_are_refused(checkout: Path) -> None:
    Path("new.json").write_text("{}")
    with pytest.raises(InputError, match="known findings"):
        read_protected("main", None, Path("new.json"))


@pytest.mark.parametrize("name", ["cr-audit.toml", "pyproject.toml"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "broken link", "not UTF-8", "device"])
def test_an_unreadable_policy_is_never_the_default(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    match kind:
        case "folder":
            os.mkdir(name)
        case "pipe":
            os.mkfifo(name)
        case "broken link":
            os.symlink("nowhere", name)
        case "device":
            os.symlink("/dev/zero", name)
        case _:
            Path(name).write_bytes(b"seed = 1 # \xff")
    with pytest.raises(InputError) as caught:
        read_config(None)
    assert caught.value.slug == "bad-config"


def test_every_softened_key_is_named() -> None:
    judged = parse_policy({}, "base")
    own = parse_policy(
        {
            "fail-on": "never",
            "rules": {"CR608": "off"},
            "thresholds": {"new-copies": 1000000},
            "waivers": [{"rule": "*", "reason": "r", "owner": "o", "expires": "2030-01-01"}],
        },
        "own",
    )
    changes = policy_changes(judged, own, {"seed": 0}, {"radius": 0.0})
    assert [c.key for c in changes] == [
        "fail-on",
        "rules.clones-move-leader",
        "thresholds.new-copies",
        "radius",
        "seed",
        "waivers",
    ]
    assert policy_changes(judged, judged, {}, {}) == ()


@pytest.mark.parametrize("name", ["model", "./model", "static:model", "link", "out"])
def test_a_settings_file_cannot_name_a_model_of_the_checkout(tmp_path: Path, name: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / ".git", root / "model", outside):
        folder.mkdir(parents=True)
    (root / "link").symlink_to("model")
    (root / "out").symlink_to(outside)
    with pytest.raises(InputError) as caught:
        refuse_own_model(name, root, "cr-audit.toml")
    assert caught.value.slug == "own-model"
    refuse_own_model(str(outside), root, "cr-audit.toml")
    refuse_own_model("all-MiniLM-L6-v2", root, "cr-audit.toml")


@pytest.mark.parametrize(
    "content",
    [
        ".".join(["a"] * 50_000) + " = 1",
        "[" + ".".join(["a"] * 50_000) + "]",
        " . ".join(['"a"'] * 50_000) + " = 1",
        "seed = {" + ".".join(["a"] * 5_000) + " = 1}",
        "seed = " + "[" * 5_000 + "]" * 5_000,
        "seed = " + "9" * 5_000,
    ],
)
def test_a_settings_file_that_is_made_to_hurt(content: str) -> None:
    """Keys of many parts took memory by the square of them: 8 GB for 100 kB."""
    with pytest.raises(InputError, match="not valid TOML") as caught:
        config_of(content.encode(), Path("cr-audit.toml"), "x", "x")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("form", ["table", "json", "markdown", "sarif", "junit", "github", "html"])
def test_every_report_names_a_changed_baseline(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """A branch that changes the baseline with the batch is told of, whoever reads which report."""
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"Why {i}?", "chosen": f"Since {i}.", "rejected": "No."} for i in range(20)]
    lines = [json.dumps(row) + "\n" for row in rows]
    git("init", "-q", "-b", "main")
    Path("main.jsonl").write_text("".join(lines[:15]))
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")
    Path("batch.jsonl").write_text("".join(lines[15:]))
    arguments = ["gate", "--baseline", "main.jsonl", "--policy-from", "main", "--model", "lexical"]
    arguments += ["--format", form, "-o", "out", "batch.jsonl"]
    said = "the baseline main.jsonl is not as"
    assert run(*arguments).code in (0, 1)
    before = Path("out").read_text()
    assert said not in before
    Path("main.jsonl").write_text("".join(lines[:14]))
    assert run(*arguments).code in (0, 1)
    after = Path("out").read_text()
    if form == "json":
        assert json.loads(before)["gate"]["policy"]["changed_baseline"] == []
        assert json.loads(after)["gate"]["policy"]["changed_baseline"] == ["main.jsonl"]
    elif form == "sarif":
        lines = json.loads(after)["runs"][0]["properties"]["policy"]
        assert any(line.startswith(said) for line in lines)
    else:
        assert said in after.replace("\\", "")
