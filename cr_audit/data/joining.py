"""Rows that name alternatives and rows that give their texts, read together, meet here.

A file of judgements often names only prompt and model ("session 12, model A beat model B") while
the answers lie in another file. An alternative without a text is taken for the one with the same
model under the same prompt if that one is the only candidate; with two candidates it stays what it
is, and is counted. The same prompt: the same identifier, or the same key where one of the two has
a text and *every* alternative named under the key finds its text there (two unrelated files that
both number their prompts from 1 are not joined by accident).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from cr_audit.arrays import IntArray
from cr_audit.data.dataset import PreferenceDataset, ReadReport

AMBIGUOUS = "ambiguous_text"
JOINED = "text_joined"


def join_texts(data: PreferenceDataset) -> PreferenceDataset:
    """Merge alternatives known by name with those that have their text.

    Remarks counted: ``text_joined`` (alternatives that found their text) and ``ambiguous_text``
    (alternatives with two or more candidates, left alone).
    """
    frame = data.alternatives
    has_text = frame["text"].is_not_null()
    if has_text.all() or not has_text.any():
        return data
    rows = frame.with_row_index("at").with_columns(has_text=has_text)
    named = rows.filter(~pl.col("has_text") & pl.col("model").is_not_null())
    texts = rows.filter(pl.col("has_text") & pl.col("model").is_not_null())
    if named.is_empty() or texts.is_empty():
        return data
    moved = _prompt_targets(data, named, texts)
    found = (
        named.with_columns(prompt=pl.Series(moved[named["prompt"].to_numpy()], dtype=pl.UInt32))
        .join(texts.select("prompt", "model", target="at"), on=["prompt", "model"])
        .group_by("at", maintain_order=True)
        .agg(pl.col("target").first(), n=pl.len())
    )
    unique = found.filter(pl.col("n") == 1)
    noted = dict(data.report.noted)
    if unique.height:
        noted[JOINED] = unique.height
    if found.height > unique.height:
        noted[AMBIGUOUS] = found.height - unique.height
    target = np.arange(frame.height, dtype=np.int64)
    target[unique["at"].to_numpy()] = unique["target"].to_numpy()
    report = replace(data.report, noted=dict(sorted(noted.items())))
    return _merged(data, target, moved, report=report)


def _prompt_targets(data: PreferenceDataset, named: pl.DataFrame, texts: pl.DataFrame) -> IntArray:
    """int64 (n_prompts,): where the alternatives named under each prompt should look for texts."""
    out = np.arange(data.n_prompts, dtype=np.int64)
    prompts = data.prompts.with_row_index("prompt").filter(pl.col("key").is_not_null())
    holders = prompts.join(texts.select("prompt").unique(), on="prompt", how="semi")
    askers = prompts.filter(pl.col("text").is_null())
    pairs = (
        askers.join(holders.select("key", other="prompt"), on="key")
        .filter(pl.col("prompt") != pl.col("other"))
        .filter(pl.len().over("prompt") == 1)
        .select("prompt", "other")
    )
    if pairs.is_empty():
        return out
    # Every alternative of the asking prompt must be known by name and find its name there.
    asked = data.alternatives.select("prompt", "model").join(pairs, on="prompt")
    missing = asked.join(
        texts.select(other="prompt", model="model").unique(), on=["other", "model"], how="anti"
    )
    whole = pairs.join(missing.select("prompt").unique(), on="prompt", how="anti")
    out[whole["prompt"].to_numpy()] = whole["other"].to_numpy()
    return out


def _merged(
    data: PreferenceDataset, target: IntArray, moved: IntArray, *, report: ReadReport
) -> PreferenceDataset:
    """Frames in which every alternative is its target, and nothing merged away is left."""
    kept = np.flatnonzero(target == np.arange(target.size))
    number = np.full(target.size, -1, np.int64)
    number[kept] = np.arange(kept.size)
    new = number[target]
    used = np.unique(data.alternatives["prompt"].to_numpy()[kept])
    prompt_number = np.full(data.n_prompts, -1, np.int64)
    prompt_number[used] = np.arange(used.size)
    prompts = prompt_number[moved]
    # A prompt whose alternatives did not all move is still there under its own number.
    prompts = np.where(prompt_number >= 0, prompt_number, prompts)

    def mapped(frame: pl.DataFrame, columns: tuple[str, ...], to: IntArray) -> pl.DataFrame:
        return frame.with_columns(
            pl.Series(c, to[frame[c].to_numpy()], dtype=frame.schema[c]) for c in columns
        )

    both = mapped(data.comparisons, ("winner", "loser"), new)
    return replace(
        data,
        prompts=data.prompts[used],
        alternatives=mapped(data.alternatives[kept], ("prompt",), prompt_number),
        comparisons=mapped(both, ("prompt",), prompts),
        choice_sets=mapped(data.choice_sets, ("prompt",), prompts),
        choice_members=mapped(data.choice_members, ("alternative",), new),
        ratings=mapped(data.ratings, ("alternative",), new),
        mentions=mapped(data.mentions, ("alternative",), new),
        report=report,
    )
