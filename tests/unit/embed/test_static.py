"""Static vectors: exact sums over whole texts, and a table that is complete or absent."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.embed import open_backend
from cr_audit.embed.static import StaticBackend, splits_at_spaces
from cr_audit.embed.static_table import (
    GRID_BITS,
    StaticTable,
    load_tokenizer,
    read_table,
    write_table,
)

WORDS = ["[UNK]", *"abcdefgh", "cat", "dog", "##s"]


def table() -> StaticTable:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rng = np.random.default_rng(0)
    tokens = rng.integers(-(2**24), 2**24, (len(WORDS), 6), dtype=np.int32)
    return StaticTable(tokens, tokenizer.to_str(), 0, "{}")


BACKEND = StaticBackend.of("static", table())
PIECES = st.sampled_from([*WORDS[1:-1], "cats", "zzz", "你", "\x00", "\ud800", " ", "\n", "."])
TEXT = st.lists(PIECES, max_size=30).map(" ".join)


@given(st.lists(TEXT, max_size=8), st.randoms(use_true_random=False))
def test_batch_and_order_do_not_matter(texts: list[str], random: object) -> None:
    whole = BACKEND.encode(texts)
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert np.array_equal(BACKEND.encode([texts[i] for i in order]), whole[order])
    for text, row in zip(texts, whole, strict=True):
        assert np.array_equal(BACKEND.encode([text])[0], row)
        expected = 1.0 if text.strip() else 0.0
        assert np.linalg.norm(row) == pytest.approx(expected, abs=1e-6)


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_is_a_unit_vector_or_zero(text: str) -> None:
    norm = float(np.linalg.norm(BACKEND.encode([text])[0]))
    assert norm == pytest.approx(1.0 if text.strip() else 0.0, abs=1e-6)


ODD = st.text(
    st.sampled_from("ab c.\t\n\r\x0b\x1c\x85\u00a0\u3000\u200b\x00[]#,你é\u0301ﬁ"), max_size=40
)


@given(st.lists(st.one_of(TEXT, ODD, st.just("[UNK] [UNK]x"), st.just("a" * 200)), max_size=6))
def test_words_read_once_give_the_vectors_of_whole_texts(texts: list[str]) -> None:
    whole = StaticBackend.of("static", table())
    whole._tokenizer = load_tokenizer(table().tokenizer)  # and so not asked whether it splits
    assert whole.encode(texts).tobytes() == BACKEND.encode(texts).tobytes()


def test_only_tokenizers_that_split_at_spaces_get_words() -> None:
    known = json.loads(table().tokenizer)
    assert splits_at_spaces(json.dumps(known))
    assert not splits_at_spaces(json.dumps(known | {"pre_tokenizer": {"type": "Metaspace"}}))
    assert not splits_at_spaces(json.dumps(known | {"normalizer": None}))
    assert not splits_at_spaces(json.dumps(known | {"added_tokens": [{"content": "New York"}]}))
    strip = dict(known["normalizer"], clean_text=False)
    assert not splits_at_spaces(json.dumps(known | {"normalizer": strip}))


def test_sum_of_the_known_tokens() -> None:
    tokens = table().tokens.astype(np.float64)
    expected = 2 * tokens[9] + tokens[11] + tokens[1]
    got = BACKEND.encode(["cat cats zzz a"])[0]
    np.testing.assert_allclose(got, expected / np.linalg.norm(expected), atol=1e-6)
    unknown = tokens[0] / np.linalg.norm(tokens[0])
    np.testing.assert_allclose(BACKEND.encode(["zzz qqq"])[0], unknown, atol=1e-6)


def test_nothing_is_cut_and_long_lines_are_fine() -> None:
    long = "cat " * 300_000
    a, b, c = BACKEND.encode([long, long + "dog " * 3000, "x" * 1_000_000])
    assert not np.array_equal(a, b)
    assert np.linalg.norm(c) == pytest.approx(1)


def test_the_file_holds_the_table_and_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.table", "b.table"):
        write_table(tmp_path / "sub" / name, table())
    first, second = ((tmp_path / "sub" / n).read_bytes() for n in ("a.table", "b.table"))
    assert first == second
    assert sorted(p.name for p in (tmp_path / "sub").iterdir()) == ["a.table", "b.table"]
    back = read_table(tmp_path / "sub" / "a.table", "{}")
    assert back is not None
    assert StaticBackend.of("static", back).fingerprint == BACKEND.fingerprint
    assert read_table(tmp_path / "sub" / "a.table", "other") is None


def test_a_damaged_file_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "t.table"
    write_table(path, table())
    good = path.read_bytes()
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(good), 60).tolist():
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :])
        assert read_table(path, "{}") is None
    for end in (0, 10, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:end])
        assert read_table(path, "{}") is None


def test_without_a_cache_the_notice_does_not_say_once_and_the_work_is_told(
    tiny_model: Path,
) -> None:
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    open_backend(
        f"static:{tiny_model}", notice=said.append, progress=lambda *step: steps.append(step)
    )
    assert "once" not in said[0]
    assert "in every run without the cache" in said[0]
    assert steps[-1][0] == steps[-1][1] > 0


def test_distilled_once_then_read_without_torch(tiny_model: Path, tmp_path: Path) -> None:
    said: list[str] = []
    name = f"static:{tiny_model}"
    first = open_backend(name, cache_dir=tmp_path, notice=said.append)
    assert len(said) == 1
    assert "distilling" in said[0]
    assert "done once" in said[0]
    (path,) = tmp_path.iterdir()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    again = open_backend(name, cache_dir=tmp_path, workers=3)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert again.fingerprint == first.fingerprint
    texts = ["apple bread", "cloud [UNK] fields", "nothing known here", ""]
    expected = first.encode(texts)
    code = (
        "import sys, json; from pathlib import Path; from cr_audit.embed import open_backend;"
        "b = open_backend(sys.argv[1], cache_dir=Path(sys.argv[2]), notice=print);"
        "v = b.encode(json.loads(sys.argv[3]));"
        "print(v.tobytes().hex(), {'torch', 'sentence_transformers'} & set(sys.modules))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, name, str(tmp_path), json.dumps(texts)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split() == [expected.tobytes().hex(), "set()"]
    path.write_bytes(path.read_bytes()[:1000])
    said.clear()
    open_backend(name, cache_dir=tmp_path, notice=said.append)
    assert "damaged" in said[0]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_token_vectors_are_centred_and_weighted(tiny_model: Path) -> None:
    backend = open_backend(f"static:{tiny_model}")
    assert isinstance(backend, StaticBackend)
    inner = backend._table
    model = open_backend(str(tiny_model))
    tokenizer = load_tokenizer(inner.tokenizer)
    n = tokenizer.get_vocab_size()
    words = [tokenizer.id_to_token(i) for i in range(n)]
    used = np.array([not (w.startswith("[") and w != "[UNK]") for w in words])
    assert (inner.tokens.any(axis=1) == used).all()
    # A whole word alone is one window [CLS] w [SEP]: its vector is h of the formula.
    h = {w: v for w, v in zip(words, model.encode(words), strict=True) if w.isalpha()}
    p = 1 / (np.arange(used.sum()) + 2)
    p /= p.sum()
    scale = dict(zip(np.array(words)[used].tolist(), 1e-4 / (1e-4 + p), strict=True))
    w = {t: inner.tokens[words.index(t)] / 2**GRID_BITS / scale[t] for t in h}
    for one in ("apple", "cloud"):
        difference = (w[one] - w["bread"]) - (h[one] - h["bread"])
        grid = 0.5 * 2**-GRID_BITS * (1 / scale[one] + 1 / scale["bread"])
        assert np.abs(difference).max() < grid + 1e-6
    mean = sum(inner.tokens[words.index(t)] / 2**GRID_BITS / s for t, s in scale.items())
    # The roundings of the entries, each at most half a step, add up as independent ones.
    spread = 2**-GRID_BITS / 12**0.5 * sum(1 / s**2 for s in scale.values()) ** 0.5
    assert np.abs(mean).max() < 5 * spread
