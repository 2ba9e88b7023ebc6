"""Distilling a transformer into one vector per token (the recipe of model2vec, without PCA)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cr_audit.arrays import BoolArray, FloatArray
from cr_audit.embed.backends import Progress
from cr_audit.embed.static_table import GRID_BITS, StaticTable, load_tokenizer
from cr_audit.embed.transformer import TransformerBackend

SETTINGS: dict[str, Any] = {
    "recipe": "distil-1",
    "centred": True,
    "sif": 1e-4,
    "grid_bits": GRID_BITS,
}


_UNUSED = re.compile(r"\[unused\d+\]")


def distil(
    model: TransformerBackend, settings: str, progress: Progress | None = None
) -> StaticTable:
    """w_t = s_t (h_t − h̄): h_t is the model's vector of token t alone, h̄ the mean over tokens.

    s_t = a/(a + p_t), a = 1e-4, p_t ∝ 1/(t + 2) for the t-th token of the vocabulary (Zipf's law
    over a vocabulary ordered by frequency; Arora et al. 2017, section 3, with p_t from the rank).

    Deviations from model2vec: (1) no PCA: all dimensions are kept, a rotation would not change a
    cosine; (2) h_t has passed the model's own normalisation; (3) tokens keep their place in the
    vocabulary; (4) entries are rounded to multiples of 2**-17, finer than a half-precision
    float of their size.
    """
    tokenizer, vectors, unused, unknown = token_vectors(model, progress)
    return StaticTable(weighted(vectors, unused, settings), tokenizer, unknown, settings)


def weighted(vectors: FloatArray, unused: BoolArray, settings: str) -> NDArray[np.int32]:
    """int32 (V, d): vectors centred, weighted by rank and put on the grid.

    vectors : float64 (V, d); unused : bool (V,), tokens that no text holds.
    """
    used = ~unused
    centred: FloatArray = vectors - vectors[used].mean(axis=0)
    rank = np.cumsum(used) - 1.0
    p = 1.0 / (rank + 2.0)
    p /= p[used].sum()
    sif = float(json.loads(settings)["sif"])
    rows = centred * (sif / (sif + p))[:, None]
    rows[unused] = 0.0
    return np.rint(rows * 2.0**GRID_BITS).astype(np.int32)


def token_vectors(
    model: TransformerBackend,
    progress: Progress | None = None,
    some: Sequence[int] | None = None,
) -> tuple[str, FloatArray, BoolArray, int]:
    """The tokenizer's JSON, float64 (V, d), bool (V,) tokens without a vector, the unknown id.

    some : the tokens whose vectors are wanted, all by default; the others have zeros.
    """
    loaded = model.loaded()
    tokenizer = loaded.tokenizer.backend_tokenizer
    text = str(tokenizer.to_str())
    plain = load_tokenizer(text)
    n = plain.get_vocab_size(with_added_tokens=True)
    names = [plain.id_to_token(i) for i in range(n)]
    special = set(loaded.tokenizer.all_special_ids)
    unused = np.array(
        [t is None or i in special or bool(_UNUSED.fullmatch(t)) for i, t in enumerate(names)]
    )
    unknown = loaded.tokenizer.unk_token_id
    if unknown is not None:
        unused[unknown] = False
    around = plain.encode("a")
    inner = np.flatnonzero(np.array(around.special_tokens_mask) == 0)
    before, after = around.ids[: inner[0]], around.ids[inner[-1] + 1 :]
    ids = np.flatnonzero(~unused) if some is None else np.array(some, dtype=np.int64)
    vectors: FloatArray = np.zeros((n, model.dimension))
    vectors[ids] = model.encode_ids([[*before, i, *after] for i in ids.tolist()], progress)
    return text, vectors, unused, -1 if unknown is None else int(unknown)
