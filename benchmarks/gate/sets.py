"""The real data sets that the gate is measured on, and how their rows are taken apart."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cr_audit.data.identity import canonical

Row = dict[str, Any]
_ASSISTANT = "\n\nAssistant:"


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of a data set's fields, and the small edits that attacks are made of.

    prompt : what a split by prompts goes by, "" where the data has one prompt only. left, right :
    the texts; transcripts : they hold whole conversations, of which the last turn is the response
    and the rest the prompt. label : "" where the left side always won; shares : its values and the
    share of the win that the left side gets. names : per side the fields that say who it is beside
    the text, a model first where by_model; copies get names of their own. wording : the field with
    (a part of) the prompt's text. min_opponents : an answer with fewer is no target.
    """

    left: str
    right: str
    prompt: str = ""
    label: str = ""
    shares: Mapping[Any, float] = field(default_factory=dict)
    names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    wording: str = ""
    annotator: str = ""
    by_model: bool = False
    transcripts: bool = False
    min_opponents: int = 5

    @property
    def texts(self) -> tuple[str, str]:
        return self.left, self.right

    def prompt_of(self, row: Row) -> str:
        if self.transcripts:
            return str(row[self.left].rpartition(_ASSISTANT)[0])
        return str(row[self.prompt]) if self.prompt else ""

    def text(self, row: Row, side: int) -> str:
        value: str = row[self.texts[side]]
        return value.rpartition(_ASSISTANT)[2] if self.transcripts else value

    def sides(self, row: Row) -> tuple[str, str]:
        """Who is compared: models, or texts under one prompt."""
        if self.by_model:
            return str(row[self.names[0][0]]), str(row[self.names[1][0]])
        return canonical(self.text(row, 0)), canonical(self.text(row, 1))

    def group(self, row: Row) -> str:
        """What is ranked together."""
        return "" if self.by_model else self.prompt_of(row)

    def share(self, row: Row) -> float | None:
        """Share of the win that the left side has; None without a label."""
        return self.shares.get(row[self.label]) if self.label else 1.0

    def replaced(self, row: Row, side: int, text: str, suffix: str, base: str = "") -> Row:
        """The row with another text on one side, under another name (``base`` or the old one)."""
        name = self.texts[side]
        if self.transcripts:
            text = row[name].rpartition(_ASSISTANT)[0] + _ASSISTANT + " " + text
        return {**row, name: text} | {n: f"{base or row[n]}-{suffix}" for n in self.names[side]}

    def turned(self, row: Row) -> Row:
        """The row with the other side winning."""
        if not self.label:
            pairs = [self.texts, *zip(*self.names, strict=True)]
            return row | {a: row[b] for x in pairs for a, b in (x, x[::-1])}
        share = self.share(row)
        if share is None:
            return row
        other = {s: value for value, s in self.shares.items()}[1.0 - share]
        return {**row, self.label: other}

    def lost(self, row: Row) -> Row:
        """The row with the left text losing."""
        if not self.label:
            return self.turned(row)
        return {**row, self.label: {s: value for value, s in self.shares.items()}[0.0]}

    def reworded(self, row: Row) -> Row:
        """The row with one more word in its prompt."""
        if not self.transcripts:
            return {**row, self.wording: f"{row[self.wording]} please"}
        out = dict(row)
        for name in self.texts:
            head, mark, tail = row[name].rpartition(_ASSISTANT)
            out[name] = f"{head} please{mark}{tail}"
        return out


@dataclass(frozen=True, slots=True)
class Source:
    """A data set. remarks : what cannot be measured on it, by split or attack, and why."""

    path: str
    fields: Fields
    remarks: Mapping[str, str] = field(default_factory=dict)

    def rows(self, folder: Path) -> list[Row]:
        if not self.path.endswith(".gz"):  # the project's own sample
            return [json.loads(line) for line in (_ROOT / self.path).read_text().splitlines()]
        with gzip.open(folder / self.path, "rt", encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


_ROOT = Path(__file__).resolve().parent.parent.parent
_NO_ANNOTATORS = "the data names no annotators"
_ONE_ANNOTATOR = "one judge wrote all labels"
_ARGUMENTS: dict[str, Any] = {"prompt": "debate", "left": "a1", "right": "a2", "wording": "stance"}
_BY_ARGUMENT = (("arg1_id",), ("arg2_id",))

SETS: dict[str, Source] = {
    "ukp": Source(
        "ukp_convarg/pairs_gold.shared.jsonl.gz",
        Fields(
            **_ARGUMENTS,
            names=_BY_ARGUMENT,
            label="goldLabel",
            shares={"a1": 1.0, "a2": 0.0, "equal": 0.5},
        ),
        {"spread": _NO_ANNOTATORS},
    ),
    "ukp_votes": Source(
        "ukp_convarg/votes.shared.jsonl.gz",
        Fields(
            **_ARGUMENTS,
            names=_BY_ARGUMENT,
            label="value",
            shares={"a1": 1.0, "a2": 0.0, "equal": 0.5},
            annotator="turkID",
        ),
    ),
    "llmfao": Source(
        "llmfao/crowd_comparisons.shared.jsonl.gz",
        Fields(
            "result_x",
            "result_y",
            prompt="text",
            label="winner",
            shares={"left": 1.0, "right": 0.0, "tie": 0.5},
            names=(("left", "model_x"), ("right", "model_y")),
            wording="text",
            annotator="worker",
            by_model=True,
        ),
    ),
    "wildbench": Source(
        "wildbench_scores/pairs_llama3_family_text.shared.jsonl.gz",
        Fields(
            "output_1",
            "output_2",
            prompt="session_id",
            label="winner",
            shares={"model_1": 1.0, "model_2": 0.0, "tie": 0.5},
            names=(("model_1",), ("model_2",)),
            by_model=True,
        ),
        {"spread": _ONE_ANNOTATOR, "wording": "prompts are known by identifier only"},
    ),
    "qlora": Source(
        "qlora_vicuna_gpt4/vicuna_threeclass.shared.jsonl.gz",
        Fields(
            "answer_1",
            "answer_2",
            prompt="question",
            label="winner",
            shares={"1": 1.0, "2": 0.0, "tie": 0.5},
            names=(("model_1",), ("model_2",)),
            wording="question",
            by_model=True,
        ),
        {"spread": _ONE_ANNOTATOR},
    ),
    "humour": Source(
        "humour_pairs/pairs.shared.jsonl.gz",
        Fields("winner", "loser", names=(("winner_id",), ("loser_id",))),
        {
            "prompts": "all texts stand under one prompt",
            "spread": _NO_ANNOTATORS,
            "wording": "the prompt has no text",
            "everywhere": "all texts stand under one prompt",
        },
    ),
    "hh": Source(
        "hh_rlhf_harmless/harmless_base_test.shared.jsonl.gz",
        Fields("chosen", "rejected", transcripts=True, min_opponents=1),
        {
            "prompts": "1,716 of 1,717 rows have prompts of their own: rows and prompts are one",
            "spread": _NO_ANNOTATORS,
            "leader": "two responses per prompt: copies of either change no leader",
        },
    ),
    "sample": Source(
        "sample_data/gate/main.jsonl",
        Fields(
            "response_a",
            "response_b",
            prompt="prompt",
            label="winner",
            shares={"model_a": 1.0, "model_b": 0.0, "tie": 0.5},
            names=(("model_a",), ("model_b",)),
            wording="prompt",
            annotator="annotator",
            by_model=True,
            min_opponents=2,
        ),
    ),
}
