"""Next steps that need more than a file: git, a store, a model, a GPU, another program that writes,
or what only a caller of the library meets. Each is provoked, read, followed, and then works.

The last test walks over the code and counts what was followed here and in
``test_every_next_step.py``.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import advised
import numpy as np
import pytest

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.errors import CrAuditError
from tests.cli.conftest import Run
from tests.cli.test_kinds_command import FILLER, KINDS
from tests.unit.embed.conftest import write_model

pytestmark = pytest.mark.xdist_group("next steps")
NONE = ("--model", "none")
QUICK = ("--model", "lexical", "--replicates", "10")
ROWS = [
    {"prompt": f"q{i}", "chosen": f"a good answer {i}", "rejected": f"a bad reply {i}"}
    for i in range(12)
]
RING = [
    {"prompt": "q", "chosen": x, "rejected": y, "who": f"u{i % 3}"}
    for i, (x, y) in enumerate([("one is so", "two is so"), ("two is so", "three is so")] * 6)
]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(r) + "\n" for r in rows)


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("p.jsonl").write_text(lines(ROWS))
    Path("ring.jsonl").write_text(lines(RING))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


class Steps:
    """What fails is asked for its next step; when all was followed, ``done`` says so."""

    def __init__(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        self._run, self._patch = run, monkeypatch
        self._seen: set[tuple[str, int]] = set()

    def of(self, *words: str, code: int = 3) -> str:
        """The next step of a command that fails."""
        with advised.watched(self._patch) as seen:
            done = self._run(*words)
        assert done.code == code, done.err or done.out
        found = re.search(r"^  next: (.*)$", done.err, re.M)
        assert found, done.err
        self._seen |= seen
        return found[1]

    def of_call(self, call: Callable[[], Any]) -> str:
        """The next step of a call that fails."""
        with advised.watched(self._patch) as seen, pytest.raises(CrAuditError) as caught:
            call()
        self._seen |= seen
        return caught.value.next_step or ""

    def works(self, *words: str) -> str:
        """A command that follows a step."""
        done = self._run(*words)
        assert done.code == 0, done.err
        return done.out

    def done(self) -> None:
        assert self._seen
        advised.FOLLOWED.update(self._seen)


@pytest.fixture
def steps(run: Run, monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(run, monkeypatch)


# -- git


def git(*words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def checkout() -> None:
    git("init", "-q", "-b", "main")
    Path("cr-audit.toml").write_text("[gate]\n")
    git("add", "cr-audit.toml")
    git("commit", "-q", "-m", "x")


JUDGED = ("gate", "--baseline", "p.jsonl", "p.jsonl", "--exit-zero", *QUICK)


def merged(*names: str) -> None:
    """What the branch brings, merged into the protected one."""
    git("add", *names)
    git("commit", "-q", "-m", "y")


def test_a_policy_that_is_not_in_the_protected_branch(steps: Steps, checkout: None) -> None:
    wrong = (*JUDGED, "--policy-from", "main", "--config", "own.toml")
    Path("own.toml").write_text("[gate]\n")
    assert steps.of(*wrong).startswith("merge it there first")
    merged("own.toml")
    steps.works(*wrong)
    steps.done()


def test_known_findings_that_are_not_in_the_protected_branch(steps: Steps, checkout: None) -> None:
    steps.works(*JUDGED, "--write-baseline", "known.json")
    wrong = (*JUDGED, "--policy-from", "main", "--known", "known.json")
    assert steps.of(*wrong).startswith("merge it there first")
    merged("known.json")
    steps.works(*wrong)
    steps.done()


def test_a_policy_that_the_protected_branch_holds_as_a_link(steps: Steps, checkout: None) -> None:
    Path("cr-audit.toml").unlink()
    Path("cr-audit.toml").symlink_to("elsewhere.toml")
    merged("cr-audit.toml")
    wrong = (*JUDGED, "--policy-from", "main")
    Path("cr-audit.toml").unlink()
    Path("cr-audit.toml").write_text("[gate]\n")
    assert steps.of(*wrong) == "mend it in the protected branch"
    merged("cr-audit.toml")
    steps.works(*wrong)
    steps.done()


def test_a_commit_that_is_not_here(steps: Steps, checkout: None) -> None:
    """The printed line, with the branch put in."""
    shutil.copytree(".git", "../origin.git")
    git("remote", "add", "origin", str(Path("../origin.git").resolve()))
    step = steps.of(*JUDGED, "--policy-from", "origin/main")
    line = re.search(r"\((git fetch .*?), then --policy-from (\w+)\)", step)
    assert line
    subprocess.run(shlex.split(line[1].replace("BRANCH", "main")), check=True, capture_output=True)
    steps.works(*JUDGED, "--policy-from", line[2])
    Path("policy.toml").write_text("[gate]\n")
    assert step.endswith("or name a .toml file")
    steps.works(*JUDGED, "--config", "policy.toml")
    steps.done()


def test_a_name_of_two_commits(steps: Steps, checkout: None) -> None:
    git("update-ref", "refs/remotes/origin/main", "main")
    git("commit", "-q", "--allow-empty", "-m", "other")
    git("branch", "origin/main")
    step = steps.of(*JUDGED, "--policy-from", "origin/main")
    steps.works(*JUDGED, *shlex.split(step.rpartition("for example ")[2]))
    steps.done()


# -- stores


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library's own store in memory stands for one on the network."""
    import fsspec

    from cr_audit.readers import remote

    monkeypatch.setitem(remote.STORES, "memory", ("fsspec", "fsspec", "cp ADDRESS ."))
    store = fsspec.filesystem("memory")
    store.pipe_file("/shelf/a.jsonl", lines(ROWS).encode())
    store.pipe_file("/notes/a.txt", b"words")
    yield store
    store.rm("/shelf", recursive=True)
    store.rm("/notes", recursive=True)


def test_a_folder_of_a_store_without_data(steps: Steps, store: Any) -> None:
    assert steps.of("winrates", "memory://notes", *NONE) == "write the whole address of a file"
    steps.works("winrates", "memory://shelf/a.jsonl", *NONE)
    steps.done()


def test_an_address_that_leads_nowhere(steps: Steps, store: Any) -> None:
    step = steps.of("winrates", "memory://shelf/b.jsonl", *NONE)
    assert "check the address" in step
    assert step.endswith("cp memory://shelf/b.jsonl .")
    steps.works("winrates", "memory://shelf/a.jsonl", *NONE)
    store.get("/shelf/a.jsonl", "got.jsonl")
    steps.works("winrates", "got.jsonl", *NONE)
    steps.done()


def test_the_hub(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it goes without a network: the address as advised is one of the hub's, and where
    the hub is switched off, the line that fetches names the data set, and its file is read."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    step = steps.of("winrates", "hf://models/team/set", *NONE)
    address = step.removeprefix("write it as ")
    address = address.replace("OWNER", "team").replace("NAME", "set").replace("FILE", "p.jsonl")
    step = steps.of("winrates", address, *NONE)
    assert step.startswith("unset it")
    line = shlex.split(step.rpartition(": ")[2])
    assert line[:3] == ["hf", "download", "team/set"]
    folder = Path(line[line.index("--local-dir") + 1])
    folder.mkdir()
    shutil.copy("p.jsonl", folder)  # what the line would do
    steps.works("winrates", str(folder), *NONE)
    steps.done()


def test_a_store_without_its_library(
    steps: Steps, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cr_audit.readers import remote

    real, gone = remote.find_spec, {"fsspec"}
    monkeypatch.setattr(remote, "find_spec", lambda n: None if n in gone else real(n))
    step = steps.of("winrates", "memory://shelf/a.jsonl", *NONE)
    assert step.startswith("pip install fsspec, or get the file yourself")
    gone.clear()  # installed
    steps.works("winrates", "memory://shelf/a.jsonl", *NONE)
    steps.done()


# -- files that change, identifiers that meet


def test_a_file_that_is_written_while_it_is_read(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cr_audit.readers as readers
    from cr_audit.readers import raw

    def written(module: Any, name: str) -> Any:
        real = getattr(module, name)

        def racing(paths: Any, *rest: Any) -> Any:
            with Path("p.jsonl").open("a") as file:
                file.write(lines(ROWS[:1]))
            return real(paths, *rest)

        return racing

    sampled = ("winrates", "p.jsonl", "--sample", "3", *NONE)
    exported = ("export", "p.jsonl", *QUICK, "-o", "w.jsonl")
    for command, module, name in (
        (sampled, readers, "_open_all"),
        (exported, raw, "open_raw"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, written(module, name))
            assert steps.of(*command) == "run again when nothing writes to it"
        steps.works(*command)
    steps.done()


def test_two_texts_of_one_identifier(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.readers import build

    real = build.alternative_id
    twins = (ROWS[3]["chosen"], ROWS[8]["rejected"])
    monkeypatch.setattr(build, "alternative_id", lambda *a: "0" * 16 if a[1] in twins else real(*a))
    step = steps.of("winrates", "p.jsonl", *NONE)
    assert step == "split the data into two runs"
    for name, part in (("1.jsonl", ROWS[:6]), ("2.jsonl", ROWS[6:])):
        Path(name).write_text(lines(part))
        steps.works("winrates", name, *NONE)
    steps.done()


# -- models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def scan(model: str, *more: str) -> tuple[str, ...]:
    return ("weights", "p.jsonl", "--replicates", "10", "--model", model, *more)


def damaged(tiny: Path, how: str) -> Path:
    """A copy of the model that is not loaded."""
    folder = Path(how.replace(" ", "_")).resolve()
    shutil.copytree(tiny, folder)
    modules = json.loads((folder / "modules.json").read_text())
    match how:
        case "pickled weights":
            (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        case "no modules":
            (folder / "modules.json").unlink()
        case "foreign module":
            modules[1]["type"] = "mine.Pooling"
            (folder / "modules.json").write_text(json.dumps(modules))
        case "settings that are code":
            config = json.loads((folder / "config.json").read_text())
            config["auto_map"] = {"AutoModel": "evil.Model"}
            (folder / "config.json").write_text(json.dumps(config))
        case "broken weights":
            (folder / "model.safetensors").write_bytes(b"\x00" * 100)
    return folder


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("pickled weights", "save the model again"),
        ("no modules", "SentenceTransformer.save"),
        ("foreign module", "made of .*Normalize.*Pooling.*Transformer.* only"),
        ("settings that are code", "save the model again .*, or use --model lexical"),
        ("broken weights", "another sentence-transformers model, or use --model lexical"),
    ],
)
def test_a_model_that_is_refused(how: str, says: str, tiny: Path, steps: Steps) -> None:
    """Saved again by the library that is named, it is read; so is the encoder that is named."""
    folder = damaged(tiny, how)
    step = steps.of(*scan(str(folder)), code=4)
    assert re.search(says, step), step
    if "SentenceTransformer.save" in step or "safe_serialization" in step:
        from sentence_transformers import SentenceTransformer

        again = Path("again").resolve()
        SentenceTransformer(str(tiny)).save(str(again), safe_serialization=True)
        steps.works(*scan(str(again)))
    else:
        steps.works(*scan(str(tiny)))
    if "--model lexical" in step:
        steps.works(*scan("lexical"))
    steps.done()


def test_weights_that_are_not_the_published_ones(
    tiny: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cr_audit.embed import sources

    changed = Path("changed").resolve()
    shutil.copytree(tiny, changed)
    monkeypatch.setattr(sources, "_packaged", lambda: changed)
    step = steps.of(*scan("all-MiniLM-L6-v2"), code=4)
    assert step == "install them again; to use changed weights on purpose, name their folder"
    steps.works(*scan(str(changed)))
    digest = sources._sha256(changed / sources.WEIGHTS)
    monkeypatch.setattr(sources, "MINILM_SHA256", digest)  # installed again
    steps.works(*scan("all-MiniLM-L6-v2"))
    steps.done()


def test_a_packaged_table_that_is_damaged(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.embed import shipped

    Path(shipped.FILE).write_bytes(b"x")
    shipped.read_shipped.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(shipped, "files", lambda package: Path())
        step = steps.of("weights", "p.jsonl", code=4)
        assert step == "install cr-audit again, or use --model lexical"
        steps.works(*scan("lexical"))
    shipped.read_shipped.cache_clear()
    steps.works("weights", "p.jsonl")
    steps.done()


def test_libraries_of_transformers(
    tiny: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing, or older than the oldest that was tried: the default encoder needs none."""
    from cr_audit.embed import transformer

    with monkeypatch.context() as patch:
        patch.setattr(transformer, "_there", lambda name: name != "sentence_transformers")
        step = steps.of(*scan(str(tiny)), code=4)
        assert step.startswith("pip install torch")
        assert "leave --model out" in step
        steps.works("weights", "p.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(transformer, "version", lambda name: "5.1.2")
        step = steps.of(*scan(str(tiny)), code=4)
        oldest = step.removeprefix("install ").partition(" ")[0]
        patch.setattr(transformer, "version", lambda name: oldest)  # installed
        steps.works(*scan(str(tiny)))
    steps.done()


def test_a_reward_model_without_its_library(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ("refit", "ring.jsonl", *QUICK, "--reward")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        step = steps.of(*wrong, "mlp", code=4)
    assert step.endswith("or use --reward linear")
    steps.works(*wrong, "linear")
    steps.done()


def test_a_gpu_that_is_not_there_or_too_small(
    tiny: Path, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU stands for a GPU that holds nothing."""
    import torch

    from cr_audit.embed import transformer

    with monkeypatch.context() as patch:
        patch.setattr(transformer, "sees_gpu", lambda: False)
        assert steps.of(*scan(str(tiny), "--device", "cuda"), code=4).startswith("say --device cpu")
        steps.works(*scan(str(tiny), "--device", "cpu"))
    Path("other.jsonl").write_text(lines([{**r, "chosen": "cloud bread"} for r in ROWS]))

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patch:
        patch.setattr(transformer, "sees_gpu", lambda: True)
        patch.setattr(transformer, "_CUDA", "cpu")
        memory = SimpleNamespace(total_memory=1 << 30)
        patch.setattr(torch.cuda, "get_device_properties", lambda k: memory)
        patch.setattr(torch, "from_numpy", full)
        words = ("weights", "other.jsonl", "--replicates", "10", "--model", str(tiny), "--device")
        step = steps.of(*words, "cuda", code=4)
    assert step.startswith("say --device cpu")
    steps.works(*words, "cpu")
    steps.done()


def test_an_index_without_its_library(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.clones import neighbours

    real = neighbours.find_spec
    monkeypatch.setattr(
        neighbours, "find_spec", lambda name: None if name == "hnswlib" else real(name)
    )
    words = ("clones", "p.jsonl", *QUICK, "--index")
    step = steps.of(*words, "hnsw", code=4)
    index = re.search(r"--index (\w+)", step)
    assert index
    steps.works(*words, index[1])
    steps.done()


def test_a_disk_that_is_full(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """So few bytes in a part that the index of twelve rows goes through files."""
    from cr_audit.clones import index_parts
    from cr_audit.embed import default_cache_dir

    full = default_cache_dir()

    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    def file(*, dir: Path) -> Any:
        return Full() if dir.is_relative_to(full) else tempfile.TemporaryFile(dir=dir)

    files = SimpleNamespace(TemporaryFile=file, gettempdir=tempfile.gettempdir)
    words = ("clones", "p.jsonl", *QUICK, "--memory")
    with monkeypatch.context() as patch:
        patch.setattr(index_parts, "_PART_BYTES", 1 << 10)
        patch.setattr(index_parts, "_BYTES_PER_ENTRY", 1e-6)
        patch.setattr(index_parts, "tempfile", files)
        step = steps.of(*words, "64MiB", code=4)
        assert "another folder in CR_AUDIT_CACHE" in step
        assert step.endswith("with --memory")
        patch.setenv("CR_AUDIT_CACHE", str(Path("elsewhere").resolve()))
        steps.works(*words, "64MiB")
    monkeypatch.setattr(index_parts, "tempfile", files)
    steps.works(*words, "1GiB")
    steps.done()


# -- what few data give


def on_one(weights: FloatArray) -> FloatArray:
    """All weight on one item, as a sample of few points may find it."""
    out = np.zeros_like(weights)
    out[0] = 1.0
    return out


@pytest.fixture
def one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Voronoi weights of which one item has all."""
    from cr_audit.weights.schemes.voronoi import VORONOI

    real = type(VORONOI).weigh

    def weigh(self: Any, items: Any, options: Any, rng: Any) -> Any:
        found = real(self, items, options, rng)
        return replace(found, weights=on_one(found.weights))

    monkeypatch.setattr(type(VORONOI), "weigh", weigh)


def weights_named(step: str) -> list[str]:
    return re.findall(r"--weights (\w+)", step)


def test_weights_that_leave_nothing_to_export(steps: Steps, one_cell: None) -> None:
    words = ("export", "p.jsonl", *QUICK, "-o")
    step = steps.of(*words, "w.jsonl", "--weights", "voronoi", code=4)
    for name in weights_named(step):
        steps.works(*words, f"{name}.jsonl", "--weights", name)
    steps.done()


def test_weights_that_leave_nothing_to_fit(steps: Steps) -> None:
    from cr_audit.models.rewards.objective import kappa

    compared = RING_ROWS.proportions()
    step = steps.of_call(lambda: kappa(compared, on_one(np.ones(3))))
    assert weights_named(step) == ["sharing", "uniform"]
    for name in weights_named(step):
        steps.works("refit", "ring.jsonl", *QUICK, "--weights", name)
    assert kappa(compared, np.full(3, 1 / 3)) > 0
    steps.done()


def test_redrawn_weights_that_leave_nothing_to_fit(steps: Steps) -> None:
    """Replicates of the linear model whose drawn weights all lie on one item."""
    from cr_audit.models.rewards.linear import fit_linear
    from cr_audit.models.rewards.linear_bootstrap import bootstrap_linear

    vectors = np.eye(3)
    fit = fit_linear(RING_ROWS.proportions(), vectors, np.full(3, 1 / 3), penalty=0.1)

    def replicates(draw: Any) -> Any:
        return bootstrap_linear(
            RING_ROWS,
            vectors,
            [fit],
            n_replicates=4,
            draw_weights=draw,
            rng=np.random.default_rng(0),
        )

    step = steps.of_call(lambda: replicates([lambda stream: on_one(np.ones(3))]))
    assert weights_named(step) == ["sharing", "uniform"]
    for name in weights_named(step):
        words = ("refit", "ring.jsonl", *QUICK, "--reward", "linear", "--weights", name)
        steps.works(*words)
    assert np.isfinite(replicates(None).theta).all()
    steps.done()


def test_a_picture_of_nothing(steps: Steps) -> None:
    words = ("refit", "ring.jsonl", *QUICK, "--weighted")
    assert steps.of(*words, "--plot", "a.svg", code=4) == "leave out --plot"
    steps.works(*words)
    steps.done()


def test_too_few_units_to_choose_a_penalty(steps: Steps) -> None:
    from cr_audit.models.rewards.selection import cross_validate_penalty

    def choose() -> Any:
        return cross_validate_penalty(
            RING_ROWS, tabular, clusters=np.zeros(12, int), rng=np.random.default_rng(0)
        )

    assert steps.of_call(choose) == "set --penalty to a number"
    steps.works("refit", "ring.jsonl", *QUICK, "--penalty", "1")
    steps.done()


RING_ROWS = Comparisons.of(3, [0, 1] * 6, [1, 2] * 6)


def tabular(
    rows: Comparisons, penalty: float, warm: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    from cr_audit.models.rewards.tabular import fit_tabular

    rewards = fit_tabular(rows.proportions(), np.full(3, 1 / 3), penalty=penalty).rewards
    return rewards, rewards


def test_lists_that_say_nothing(steps: Steps) -> None:
    from cr_audit.models.listwise.plackett_luce import fit_rankings
    from cr_audit.models.listwise.rankings import rankings_of
    from tests.unit.models.listwise.choice_data import sets_of

    nothing = rankings_of(sets_of(2, [[(0, -1), (1, -1)]]))
    assert "a choice or a ranking" in steps.of_call(lambda: fit_rankings(nothing, penalty=1.0))
    loses = rankings_of(sets_of(2, [[(0, 0), (1, -1)]]))  # a choice
    assert steps.of_call(lambda: fit_rankings(loses)) == "fit with a penalty"
    assert np.isfinite(fit_rankings(loses, penalty=1.0).rewards).all()
    steps.done()


def test_nothing_to_resample(steps: Steps) -> None:
    from cr_audit.models.rankings import bootstrap_win_rates

    def shift(rows: Comparisons) -> Any:
        uniform = np.full(3, 1 / 3)
        return bootstrap_win_rates(rows, uniform, n_replicates=10, rng=np.random.default_rng(0))

    step = steps.of_call(lambda: shift(Comparisons.of(3, [], [])))
    assert step.startswith("check which rows were read")
    assert shift(RING_ROWS)
    steps.done()


def test_a_leaderboard_of_the_library(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.models.ties import fit as ties
    from cr_audit.models.ties.battles import battles

    def board(rows: Comparisons, columns: Any = None) -> Any:
        return ties.fit_ties(battles(rows, columns), "bradley-terry", prior_precision=1.0)

    assert "which rows were read" in steps.of_call(lambda: board(Comparisons.of(3, [], [])))
    with monkeypatch.context() as patch:
        patch.setattr(ties, "MAX_ITEMS", 2)
        assert "(--unit model)" in steps.of_call(lambda: board(RING_ROWS))
        two = Comparisons.of(2, [0, 1, 0], [1, 0, 1])  # the same rows by model
        assert np.isfinite(board(two).rewards).all()
    z = np.linspace(-1, 1, 12)
    same = np.stack([z, z], axis=1)

    def controlled(columns: Any) -> Any:
        rows = Comparisons.of(3, [0, 1, 2] * 4, [1, 2, 0] * 4)
        return ties.fit_ties(battles(rows, columns), "bradley-terry", prior_precision=0.0)

    assert steps.of_call(lambda: controlled(same)).startswith("leave one of them out")
    assert np.isfinite(controlled(same[:, :1]).effects).all()
    steps.done()


def test_a_lottery_that_is_not_solved(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.models.voting import lottery

    Path("cycle.jsonl").write_text(lines(MODELS))
    monkeypatch.setattr(lottery, "central_path", lambda game: None)
    unsolved = SimpleNamespace(x=None, message="numbers")
    monkeypatch.setattr("scipy.optimize.linprog", lambda *a, **k: unsolved)
    step = steps.of("leaderboard", "cycle.jsonl", *QUICK, code=4)
    command = re.search(r"cr-audit (\w+)", step)
    assert command
    assert "undecided" in steps.works(command[1], "cycle.jsonl", *QUICK) or command[1] == "refit"
    steps.done()


MODELS = [
    {"prompt": f"q{i}", "model_a": x, "model_b": y, "winner": "model_a" if i % 3 else "model_b"}
    | {"response_a": f"{x} says so {i}", "response_b": f"{y} says no {i}"}
    for i in range(12)
    for x, y in (("a", "b"), ("b", "c"), ("c", "a"))
]


def test_no_comparison_to_collect(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no two items are connected there is no comparison to advise."""
    from cr_audit.arrays import NotApplicable
    from cr_audit.families.sensitivity import compute

    why = NotApplicable("no two items are connected")
    monkeypatch.setattr(compute, "_next", lambda *a: why)
    words = ("sensitivity", "ring.jsonl", *QUICK)
    assert steps.of(*words, "--next", "2", code=4) == "leave out --next"
    steps.works(*words)
    steps.done()


def test_vectors_that_are_no_numbers(steps: Steps) -> None:
    from cr_audit.weights.estimates import checked_blocks

    vectors = np.eye(3)
    vectors[1, 1] = np.nan
    step = steps.of_call(lambda: checked_blocks(vectors))
    assert step.startswith("check the embedding file or clear the embedding cache")
    assert checked_blocks(np.eye(3))
    steps.done()


def test_a_value_that_a_simulation_does_not_take(steps: Steps) -> None:
    from cr_audit.cli.simulate import _check
    from cr_audit.families.rewards.simulate import SIMULATIONS

    option = next(o for s in SIMULATIONS for o in s.options if o.name == "texts")
    step = steps.of_call(lambda: _check(option, "nothing", option.typed[0]))
    assert step == "give another value, or leave it out"
    for value in option.choices:
        _check(option, value, option.typed[0])
    steps.done()


def test_stress_of_kinds(steps: Steps) -> None:
    """Fifty texts and more, of kinds that are planted."""
    rng = np.random.default_rng(3)

    def text(kind: str) -> str:
        said = [*rng.choice(KINDS[kind].split(), 9), *rng.choice(FILLER, 7)]
        return " ".join(map(str, rng.permutation(said)))

    texts = [text(k) for _ in range(40) for k in KINDS]
    made = [
        {"prompt": f"q{i}", "chosen": texts[2 * i], "rejected": texts[2 * i + 1]} for i in range(80)
    ]
    made += [{"prompt": "q0", "chosen": texts[1], "rejected": texts[i]} for i in (2, 3)]
    Path("k.jsonl").write_text(lines(made))
    step = steps.of("stress", "k.jsonl", *QUICK, "--unit", "kind", code=2)
    unit = re.search(r"--unit (\w+)", step)
    assert unit
    steps.works("stress", "k.jsonl", *QUICK, "--unit", unit[1])
    steps.done()


def test_parts_of_a_scan(steps: Steps) -> None:
    make = ("part", "p.jsonl", *NONE, "--parts", "box")
    step = steps.of(*make, "--of", "prompts", "--part", "9/8", code=2)
    found = re.search(r"--part (\d+/\d+)", step)
    assert found
    steps.works(*make, "--of", "prompts", "--part", found[1])
    steps.done()

    step = steps.of("part", "p.jsonl", *NONE, "--part", "1/2", code=2)
    found = re.search(r"add (--of) (\w+)\|.* (--parts) DIR", step)
    assert found
    steps.works("part", "p.jsonl", "--part", "1/2", found[1], found[2], found[3], "box")
    steps.done()

    step = steps.of(*make, "--of", "copies", "--part", "1/2", code=4)
    found = re.search(r"(--of) (prompts) (--part) (1/1)$", step)
    assert found
    steps.works(*make, *found.groups())
    steps.works(*make, "--of", "copies", "--part", "1/2")
    steps.done()

    step = steps.of(*make, "--of", "vectors", "--part", "1/2", code=4)
    assert step.startswith("leave this stage out; cr-audit scan")
    steps.works("scan", "p.jsonl", *NONE, "--parts", "box")
    steps.done()

    Path("taken").write_text("a file")
    asked = ("part", "p.jsonl", *NONE, "--of", "prompts", "--part", "1/2", "--parts")
    step = steps.of(*asked, "taken", code=4)
    assert step == "name another folder with --parts"
    steps.works(*asked, "another")
    steps.done()


# -- all of them


def test_every_next_step_is_followed(request: pytest.FixtureRequest) -> None:
    """None is left out. Other packages and machines are stood in for, as the tests say."""
    files = [request.path.with_name("test_every_next_step.py"), request.path]
    whole = {i.path for i in request.session.items}
    run_here = sum(i.path == request.path for i in request.session.items)
    if run_here < request.path.read_text().count("\ndef test_"):
        pytest.skip("a part of the tests says nothing of all places")
    missing = [
        p.name
        for p in advised.places()
        if not any(f == p.file and p.first <= n <= p.last for f, n in advised.FOLLOWED)
    ]
    if missing and (files[0] not in whole or "PYTEST_XDIST_WORKER" in os.environ):
        alone = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
        line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
        done = subprocess.run(line, env=alone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return
    assert not missing, "\n".join(missing)
