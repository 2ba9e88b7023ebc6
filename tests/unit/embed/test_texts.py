"""embed_texts without a cache, progress, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.embed import VectorCache, embed_texts, open_backend
from cr_audit.embed.lexical import LexicalBackend
from cr_audit.errors import UsageError

BACKEND = LexicalBackend(32)


@given(st.lists(st.text(st.characters(codec=None), max_size=12), max_size=80))
def test_rows_belong_to_their_texts(texts: list[str]) -> None:
    got = embed_texts(BACKEND, texts)
    assert got.shape == (len(texts), 32)
    assert got.dtype == np.float32
    for text, row in zip(texts, got, strict=True):
        assert np.array_equal(row, embed_texts(BACKEND, [text])[0])


def test_progress_rises_to_the_number_of_distinct_texts() -> None:
    seen: list[tuple[int, int]] = []
    texts = [f"text {i % 700}" for i in range(1000)]
    embed_texts(BACKEND, texts, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 700)
    assert seen[-1] == (700, 700)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_no_texts() -> None:
    assert embed_texts(BACKEND, []).shape == (0, 32)
    assert embed_texts(BACKEND, ["", " "]).tolist() == [[0.0] * 32] * 2


def test_precision_belongs_to_transformers() -> None:
    for name in ("lexical", "static"):
        with pytest.raises(UsageError):
            open_backend(name, precision="bfloat16")


def test_import_is_light() -> None:
    code = "import sys, cr_audit.embed; print(sorted(set(sys.modules) & set(sys.argv[1:])))"
    heavy = ["torch", "scipy", "polars", "transformers", "tokenizers", "huggingface_hub"]
    out = subprocess.run(
        [sys.executable, "-c", code, *heavy, "sentence_transformers", "model2vec"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == "[]"


def test_a_warm_cache_needs_no_torch(tiny_model: Path, tmp_path: Path) -> None:
    texts = ["apple", "bread"]
    with VectorCache(tmp_path) as cache:
        cold = embed_texts(open_backend(str(tiny_model)), texts, cache=cache)
    code = (
        "import sys; from pathlib import Path;"
        "from cr_audit.embed import VectorCache, embed_texts, open_backend;"
        "b = open_backend(sys.argv[1]);"
        "v = embed_texts(b, sys.argv[3:], cache=VectorCache(Path(sys.argv[2])));"
        "print(v.tobytes().hex(), {'torch', 'transformers'} & set(sys.modules))"
    )
    warm = subprocess.run(
        [sys.executable, "-c", code, str(tiny_model), str(tmp_path), *texts],
        capture_output=True,
        text=True,
        check=True,
    )
    assert warm.stdout.split() == [cold.tobytes().hex(), "set()"]
