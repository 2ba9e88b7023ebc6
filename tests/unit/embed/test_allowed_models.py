"""What a model's folder may name: modules and keys of a list, weights as safetensors, no code."""

from __future__ import annotations

import json
import pickle
import shutil
import tomllib
from pathlib import Path

import pytest

from cr_audit.embed import open_backend, transformer
from cr_audit.embed.sources import find_model
from cr_audit.errors import ComputeError


def folder_of(tmp_path: Path, tiny_model: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    return folder


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("config.json", "auto_map", {"AutoModel": "evil.Model"}),
        ("tokenizer_config.json", "auto_map", {"AutoTokenizer": ["evil.T", None]}),
        ("sentence_bert_config.json", "model_args", {"trust_remote_code": True}),
        ("sentence_bert_config.json", "processing_kwargs", {"a": {"trust_remote_code": True}}),
        ("config_sentence_transformers.json", "router", {"a": ["evil.Module"]}),
    ],
)
def test_keys_that_lead_to_code_are_refused(
    file: str, key: str, value: object, tiny_model: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, tiny_model)
    path = folder / file
    values = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**values, key: value}))
    with pytest.raises(ComputeError) as caught:
        find_model(str(folder), notice=print)
    assert caught.value.slug == "model-refused"


@pytest.mark.parametrize("kind", ["Router", "WordEmbeddings", "LSTM", "CLIPModel", "BoW"])
def test_modules_off_the_list_are_refused(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, tiny_model)
    modules = json.loads((folder / "modules.json").read_text())
    modules[-1]["type"] = f"sentence_transformers.models.{kind}"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ComputeError, match="own code"):
        find_model(str(folder), notice=print)


@pytest.mark.parametrize("activation", ["torch.hub.load", "torch.nn.modules.activation.Tanh"])
def test_a_layer_with_a_pickle_or_a_foreign_function(
    activation: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, tiny_model)
    modules = json.loads((folder / "modules.json").read_text())
    modules.append(
        {"idx": 9, "name": "9", "path": "9", "type": "sentence_transformers.models.Dense"}
    )
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "9").mkdir()
    (folder / "9" / "pytorch_model.bin").write_bytes(b"pickle")
    config = {"in_features": 2, "out_features": 2, "activation_function": activation}
    (folder / "9" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ComputeError, match="pickles"):
        find_model(str(folder), notice=print)
    (folder / "9" / "model.safetensors").write_bytes(b"")
    if "Tanh" in activation:
        find_model(str(folder), notice=print)
    else:
        with pytest.raises(ComputeError) as caught:
            find_model(str(folder), notice=print)
        assert "torch.hub" in str(caught.value)


def test_the_library_has_the_lower_bound_that_was_tried() -> None:
    root = Path(__file__).resolve().parents[3]
    needs = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"sentence-transformers>={'.'.join(map(str, transformer.OLDEST))}" in needs


def test_an_older_library_loads_nothing(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_backend(str(tiny_model))
    monkeypatch.setattr(transformer, "version", lambda name: "5.1.2")
    with pytest.raises(ComputeError) as caught:
        backend.encode(["a"])
    assert caught.value.slug == "old-transformer-library"
    assert caught.value.next_step


class Exploding:
    """What unpickling this would do."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.place), "w")


def test_a_pickle_beside_the_weights_is_never_opened(tiny_model: Path, tmp_path: Path) -> None:
    folder, owned = folder_of(tmp_path, tiny_model), tmp_path / "owned"
    for place in (folder, *(p for p in folder.iterdir() if p.is_dir())):
        for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl"):
            (place / name).write_bytes(pickle.dumps(Exploding(owned)))
    vectors = open_backend(str(folder)).encode(["a text", "another"])
    assert vectors.shape[0] == 2
    assert not owned.exists()
    (folder / "model.safetensors").unlink()
    with pytest.raises(ComputeError, match="safetensors"):
        open_backend(str(folder))
    assert not owned.exists()
