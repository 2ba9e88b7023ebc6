"""Static vectors: one per token, distilled once from a transformer, summed over the whole text."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.data.identity import canonical
from cr_audit.embed.backends import Notice, Precision, Progress
from cr_audit.embed.cache import refuse_odd
from cr_audit.embed.distil import SETTINGS, distil
from cr_audit.embed.shipped import DIMENSION, SHA256, read_shipped
from cr_audit.embed.sources import MINILM_NAMES, find_model
from cr_audit.embed.static_table import StaticTable, load_tokenizer, read_table, write_table
from cr_audit.embed.transformer import TransformerBackend, readable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from cr_audit.embed.encoders import Opening

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_CHARS_PER_BLOCK = 1 << 21
_MOST_WORDS, _LONGEST_WORD = 1 << 17, 40  # kept with their tokens: 40 MB
_SPACES = ["\t", "\n", "\r"]
"""White space that ends a word for every tokenizer that ``splits_at_spaces``; other white space is
left to the tokenizer."""


class StaticBackend:
    """v/‖v‖ with v = Σ_t n_t(text) · w_t: n_t counts token t in the whole text, nothing is cut.

    w_t is the distilled, weighted vector of token t (:mod:`cr_audit.embed.distil`). Tokens that
    the vocabulary does not know are left out; a text of nothing else gets the direction of the
    unknown token, so such texts cannot be told apart. Sums are exact (see the grid above), hence
    equal bit for bit for any batch, order and number of threads.

    Memory: the table (V·d·4 bytes, 47 MB for MiniLM) and about 100 MB of work for each worker, who
    takes two million characters at a time. Lone surrogates are read as U+FFFD. Needs no torch once
    the table is there.

    table : read when a text is first encoded; where all vectors are cached it is never read.
    dimension : of its vectors. identity : what stands for its content in the fingerprint.
    """

    def __init__(
        self, name: str, table: Callable[[], StaticTable], dimension: int, identity: str
    ) -> None:
        self._name = name
        self._read = table
        self._dimension = dimension
        self._kept: StaticTable | None = None
        self._tokenizer: Tokenizer | None = None
        self._by_words = False
        self._words: dict[str, list[int] | None] = {}
        self._fingerprint = _digest(b"static-1", identity.encode(), version("tokenizers").encode())

    @classmethod
    def of(cls, name: str, table: StaticTable) -> StaticBackend:
        """The backend of a table that is in memory."""
        content = _digest(table.settings.encode(), table.tokenizer.encode(), table.tokens.tobytes())
        return cls(name, lambda: table, int(table.tokens.shape[1]), content)

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def _table(self) -> StaticTable:
        if self._kept is None:
            self._kept = self._read()
        return self._kept

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32Array:
        """float32 (len(texts), d), unit rows; the zero vector for an empty or blank text."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        blocks: list[slice] = []
        start = 0
        while start < len(texts):
            stop, size = start + 1, len(texts[start])
            while stop < len(texts) and size + len(texts[stop]) <= _CHARS_PER_BLOCK:
                size += len(texts[stop]) + 100
                stop += 1
            blocks.append(slice(start, stop))
            start = stop
        if blocks and self._tokenizer is None:  # once, and not by each worker
            self._tokenizer = load_tokenizer(self._table.tokenizer)
            self._by_words = splits_at_spaces(self._table.tokenizer)
        made = engine.map(lambda block: self._block(texts[block]), blocks, local=True)
        for block, vectors in zip(blocks, made, strict=True):
            out[block] = vectors
            if progress is not None:
                progress(block.stop, len(texts))
        return out

    def _tokens_of(self, pieces: list[str]) -> list[list[int]]:
        """The tokens of each piece. Words come again in every block: those of the first
        ``_MOST_WORDS`` different ones are worked out once."""
        assert self._tokenizer is not None
        ids = [self._words.get(p) for p in pieces]
        new = [i for i, found in enumerate(ids) if found is None]
        made = self._tokenizer.encode_batch_fast([pieces[i] for i in new], add_special_tokens=False)
        for i, encoding in zip(new, made, strict=True):
            ids[i] = encoding.ids
        if self._by_words and len(self._words) < _MOST_WORDS:
            self._words.update((pieces[i], ids[i]) for i in new if len(pieces[i]) <= _LONGEST_WORD)
        return ids  # type: ignore[return-value]

    def _block(self, texts: Sequence[str]) -> Float32Array:
        from scipy.sparse import csr_array

        assert self._tokenizer is not None
        plain = [readable(canonical(t)) for t in texts]
        pieces, row, column = _pieces(plain) if self._by_words else _whole(plain)
        ids = self._tokens_of(pieces)
        length = np.fromiter(map(len, ids), np.int64, len(ids))
        token = np.fromiter(chain.from_iterable(ids), np.int64, int(length.sum()))
        known = token != self._table.unknown
        used = np.flatnonzero(np.bincount(token[known], minlength=self._table.tokens.shape[0]))
        place_of = np.zeros(self._table.tokens.shape[0], np.int64)
        place_of[used] = np.arange(used.size)
        place = place_of[token[known]]
        # Texts by pieces, pieces by tokens: counts, so every product of them is exact.
        piece = np.repeat(np.arange(len(ids)), length)[known]
        inside = csr_array(_ones_of(piece, place, len(ids)), shape=(len(ids), used.size))
        made_of = csr_array(_ones_of(row, column, len(plain)), shape=(len(plain), len(ids)))
        counts = made_of @ inside
        total: FloatArray = np.asarray(
            counts @ self._table.tokens[used].astype(np.float64), np.float64
        )
        empty = np.array([not text for text in plain], dtype=np.bool_)
        total[~total.any(axis=1) & ~empty] = self._table.tokens[self._table.unknown]
        norm = np.sqrt(np.add.reduce(total * total, axis=1))
        unit: FloatArray = total / np.where(norm > 0, norm, 1.0)[:, None]
        return unit.astype(np.float32)


def _ones_of(row: IntArray, column: IntArray, n: int) -> tuple[FloatArray, IntArray, IntArray]:
    """A 1 at each place, as a sparse matrix holds it; row : ascending. A place that comes twice
    stands there twice, which a product does not see."""
    ends = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
    return np.ones(row.size), column, ends


Pieces = tuple[list[str], IntArray, IntArray]


def _whole(texts: list[str]) -> Pieces:
    """Every text is its one piece."""
    at = np.arange(len(texts))
    return texts, at, at


def _pieces(texts: list[str]) -> Pieces:
    """What stands between spaces: (each different piece once, the text and the piece of every one
    that stands in a text)."""
    import polars as pl

    spaced = pl.Series("text", texts, dtype=pl.String).str.replace_many(
        _SPACES, [" "] * len(_SPACES)
    )
    words = spaced.str.split(" ")
    every = words.explode()
    number = every.unique(maintain_order=True)
    column = every.cast(pl.Enum(number)).to_physical().to_numpy().astype(np.int64)
    length = words.list.len().to_numpy().astype(np.int64)
    return number.to_list(), np.repeat(np.arange(len(texts)), length), column


def splits_at_spaces(tokenizer: str) -> bool:
    """Whether the tokens of a text are those of its pieces between spaces, one after another.

    So it is where a BERT tokenizer cleans and splits (white space ends a word, every character is
    normalised by itself) and no token that is looked for before that holds a space. tokenizer :
    its JSON. Anything else is asked for whole texts.
    """
    made = json.loads(tokenizer)
    normalizer, splitter = made.get("normalizer") or {}, made.get("pre_tokenizer") or {}
    return bool(
        normalizer.get("type") == "BertNormalizer"
        and normalizer.get("clean_text")
        and splitter.get("type") == "BertPreTokenizer"
        and made["model"].get("type") == "WordPiece"
        and not any(set(t["content"]) & set(" \t\n\r") for t in made.get("added_tokens", ()))
    )


class Static:
    """``static`` or ``static:MODEL``."""

    name = "static"
    summary = f"static vectors distilled from {DEFAULT_MODEL}, or from MODEL with static:MODEL"
    precisions: tuple[Precision, ...] = ("float32",)

    def claims(self, model: str) -> bool:
        return model == self.name or model.startswith(f"{self.name}:")

    def open(self, model: str, how: Opening) -> StaticBackend:
        source = model.partition(":")[2] or DEFAULT_MODEL
        return open_static(
            model,
            source,
            cache_dir=how.cache_dir,
            workers=how.workers,
            notice=how.notice,
            progress=how.progress,
        )


STATIC = Static()


def open_static(
    name: str,
    source: str,
    *,
    cache_dir: Path | None,
    workers: int | None,
    notice: Notice,
    progress: Progress | None = None,
) -> StaticBackend:
    """Static vectors of the model ``source``: for all-MiniLM-L6-v2 those that come with cr-audit
    (no folder of that name being there); else from ``cache_dir`` if there, else distilled now.

    The table's file is named after the source's files and the settings of the distillation, and
    appears complete or not at all. Errors: those of :func:`cr_audit.embed.sources.find_model`.
    """
    if source in MINILM_NAMES and not Path(source).is_dir():
        return StaticBackend(name, read_shipped, DIMENSION, SHA256)
    files = find_model(source, notice=notice)
    settings = json.dumps({**SETTINGS, "source": files.fingerprint}, sort_keys=True)
    path = None if cache_dir is None else Path(cache_dir) / _file_name(settings)
    try:
        if path is not None and os.path.lexists(path):
            refuse_odd(path)
            table = read_table(path, settings)
            if table is not None:
                return StaticBackend.of(name, table)
            notice(f"the distilled table {path} is damaged; it is made again")
    except OSError as error:
        notice(f"the distilled table {path} cannot be read ({error.strerror}); done without")
        path = None
    how_often = "once" if path is not None else "in every run without the cache"
    notice(f"distilling static vectors from {source}; this is done {how_often} and takes a while")
    table = distil(TransformerBackend(source, files, workers=workers), settings, progress)
    if path is not None:
        try:
            write_table(path, table)
        except OSError as error:
            notice(f"the distilled table could not be kept: {error}")
    return StaticBackend.of(name, table)


def _file_name(settings: str) -> str:
    return f"static-{_digest(settings.encode())[:16]}.table"


def _digest(*parts: bytes) -> str:
    h = hashlib.blake2b(digest_size=16)
    for part in parts:
        h.update(len(part).to_bytes(8, "little") + part)
    return h.hexdigest()
