"""Pairs in the layouts of trainers, each with the weight of its row beside it.

What each loader reads is in ``xray``, with the released version that was looked at. Rows that a
trainer's layout cannot say are left out and counted; nothing is flattened to fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cr_audit.errors import ComputeError, UsageError
from cr_audit.export.examples import Example, Message, NoPair, examples
from cr_audit.export.outcome import Exported, Reason, Weighting
from cr_audit.export.rows import DIGITS, weights_of
from cr_audit.export.source import check_target, metadata_path, table_of, write_metadata
from cr_audit.export.tables import OutRow, format_of, write_rows
from cr_audit.files import write_whole

if TYPE_CHECKING:
    from cr_audit.run import Run

SUFFIXES = (".jsonl", ".parquet")
FORMULA = "k * w_i * w_j of the pair (k: the data's own weight), divided by the mean over all pairs"


@dataclass(frozen=True, slots=True)
class Shape:
    """What all rows of one export must agree on. plain : texts alone, no turns. several : some
    answer is of several messages. carried : fields that some row hands on."""

    plain: bool
    several: bool
    carried: frozenset[str]


class NotSaid(Exception):
    """The layout has no place for a row: a reason slug."""


def _carry(example: Example, shape: Shape, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields that are handed on. Tools are JSON text: schemas of arguments differ by row, and a
    table would fill each with the fields of all."""
    out: dict[str, Any] = {}
    for name in names:
        if name in shape.carried:
            value = example.carried.get(name, _ABSENT.get(name))
            if name == "tools" and value is not None and not isinstance(value, str):
                value = json.dumps(value, ensure_ascii=False)
            out[name] = value
    return out


_ABSENT: dict[str, Any] = {"margin": 0.0, "chat_template_kwargs": {}}
"""What a row without a field has where others have it: trainers take no null there."""


def _text(messages: list[Message]) -> str:
    return "".join(str(m["content"]) for m in messages)


def _trl(example: Example, shape: Shape) -> dict[str, Any]:
    carried = _carry(example, shape, ("tools", "images", "margin", "chat_template_kwargs"))
    if shape.plain:
        sides = (example.prompt, example.chosen, example.rejected)
        named = zip(("prompt", "chosen", "rejected"), map(_text, sides), strict=True)
        return {**dict(named), **carried}
    return {
        "prompt": _asked(example),
        "chosen": example.chosen,
        "rejected": example.rejected,
        **carried,
    }


def _openrlhf(example: Example, shape: Shape) -> dict[str, Any]:
    row = _trl(example, shape)
    for name in ("tools", "images", "chat_template_kwargs"):
        row.pop(name, None)  # its loader hands none of them to the template
    return row


def _only(messages: list[Message]) -> Message:
    """The one message of an answer that is text."""
    if len(messages) != 1:
        raise NotSaid("several_turns")
    if not isinstance(messages[0]["content"], str) or messages[0].get("tool_calls"):
        raise NotSaid("not_a_text")
    return messages[0]


def _axolotl(example: Example, shape: Shape) -> dict[str, Any]:
    if any(m.get("tool_calls") for m in example.prompt):
        raise NotSaid("tool_calls")
    return {
        "messages": [_pick(m, "role", "content") for m in _asked(example)],
        "chosen": _pick(_only(example.chosen), "role", "content"),
        "rejected": _pick(_only(example.rejected), "role", "content"),
    }


def _asked(example: Example) -> list[Message]:
    """The prompt; where nothing was asked an empty question: loaders look into the first turn."""
    return example.prompt or [{"role": "user", "content": ""}]


def _pick(message: Message, *names: str) -> Message:
    return {n: message[n] for n in names}


_SHAREGPT = {"user": "human", "assistant": "gpt", "tool": "observation", "system": "system"}


def _sharegpt(message: Message) -> Message:
    """A message in the tags of sharegpt; a turn of tool calls is one of function_call."""
    calls = message.get("tool_calls")
    if calls:
        inside = [c.get("function", c) if isinstance(c, dict) else c for c in calls]
        return {"from": "function_call", "value": json.dumps(inside, ensure_ascii=False)}
    tag = _SHAREGPT.get(message["role"])
    if tag is None:
        raise NotSaid("unknown_role")
    if not isinstance(message["content"], str):
        raise NotSaid("not_a_text")
    return {"from": tag, "value": message["content"]}


def _llama_factory(example: Example, shape: Shape) -> dict[str, Any]:
    if len(example.chosen) != 1 or len(example.rejected) != 1:
        raise NotSaid("several_turns")
    turns = [_sharegpt(m) for m in _asked(example)]
    asked = turns[1:] if turns[0]["from"] == "system" else turns
    # The loader drops conversations whose sides do not take turns, or that end with the model.
    for i, turn in enumerate(asked):
        if (turn["from"] in ("human", "observation")) != (i % 2 == 0):
            raise NotSaid("turns_do_not_alternate")
    if len(asked) % 2 == 0:
        raise NotSaid("turns_do_not_alternate")
    return {
        "conversations": turns,
        "chosen": _sharegpt(example.chosen[0]),
        "rejected": _sharegpt(example.rejected[0]),
        **_carry(example, shape, ("tools", "images", "videos", "audios")),
    }


def _ms_swift(example: Example, shape: Shape) -> dict[str, Any]:
    tails = (example.chosen, example.rejected)
    if any(m["role"] == "user" for tail in tails for m in tail):
        raise NotSaid("answers_hold_questions")
    rejected: Any = example.rejected
    if not shape.several:
        rejected = _only(example.rejected)["content"]
        if rejected == example.chosen[0]["content"]:
            raise NotSaid("identical_pair")
    return {
        "messages": [*_asked(example), *example.chosen],
        "rejected_response": rejected,
        **_carry(
            example,
            shape,
            ("tools", "images", "videos", "audios", "margin", "chat_template_kwargs"),
        ),
    }


@dataclass(frozen=True, slots=True)
class Trainer:
    """How rows become a trainer's. use : what to tell it, for people; ``{path}`` is the file."""

    row: Callable[[Example, Shape], dict[str, Any]]
    reads: tuple[str, ...]
    use: tuple[str, ...]


TRAINERS: dict[str, Trainer] = {
    "trl": Trainer(
        _trl,
        ("tools", "images", "margin", "chat_template_kwargs"),
        (
            "train with WeightedRewardTrainer or WeightedDPOTrainer of cr_audit.integrations.trl:"
            " TRL's own trainers drop cr_weight",
        ),
    ),
    "openrlhf": Trainer(
        _openrlhf,
        ("margin",),
        (
            "train with --data.prompt_key prompt (and --data.apply_chat_template for messages)",
            "OpenRLHF drops cr_weight: resample instead where weights must count",
        ),
    ),
    "axolotl": Trainer(
        _axolotl,
        (),
        (
            "datasets: [{{path: {path}, ds_type: json, type: chat_template.default}}] with rl: dpo",
            "axolotl drops cr_weight: resample instead where weights must count",
        ),
    ),
    "llama-factory": Trainer(
        _llama_factory,
        ("tools", "images", "videos", "audios"),
        (
            "dataset_info.json beside the file describes it; name the folder with dataset_dir",
            "LLaMA-Factory drops cr_weight: resample instead where weights must count",
        ),
    ),
    "ms-swift": Trainer(
        _ms_swift,
        ("tools", "images", "videos", "audios", "margin", "chat_template_kwargs"),
        (
            "swift rlhf --rlhf_type dpo --dataset {path}",
            "ms-swift drops cr_weight: resample instead where weights must count",
        ),
    ),
}


@dataclass(slots=True)
class _Seen:
    """Rows that were read, and the sums of weights and their squares over pairs written."""

    n_rows: int = 0
    last: str = ""
    total: float = 0.0
    square: float = 0.0

    def row(self, place: str) -> None:
        if place != self.last:
            self.last, self.n_rows = place, self.n_rows + 1

    @property
    def effective_size(self) -> float:
        return self.total**2 / self.square if self.square else 0.0


def export(run: Run, path: Path) -> Exported:
    """The pairs of the run in the layout of the trainer that ``--as`` names."""
    name: str = run.options["exit"]
    trainer = TRAINERS[name]
    suffix = format_of(path, SUFFIXES)
    beside = path.with_name("dataset_info.json") if name == "llama-factory" else None
    if beside is not None and beside.exists():
        raise UsageError(
            "dataset-info-exists",
            "dataset_info.json stands there already, and describes other data",
            found=str(beside),
            next_step="write into an empty folder, and copy the entry over by hand",
        )
    own: Path | None = run.options["trainer_file"]
    check_target(run, path, metadata_path(path), beside, own)
    table = table_of(run)
    weights = weights_of(run, table)
    column = run.options["weight_column"] or f"{run.options['prefix']}weight"
    shape, lost = _survey(run, name)
    left_out: dict[str, Reason] = {}
    seen = _Seen()

    def rows() -> Iterator[OutRow]:
        for found in examples(run, table, weights):
            seen.row(found.place)
            if isinstance(found, NoPair):
                left_out.setdefault(found.reason, Reason()).add(found.place)
                continue
            try:
                value = trainer.row(found, shape)
            except NotSaid as why:
                left_out.setdefault(str(why), Reason()).add(found.place)
                continue
            seen.total += found.weight
            seen.square += found.weight**2
            yield OutRow(found.place, value, None, {column: round(found.weight, DIGITS)})

    n = write_rows(rows(), path, suffix)
    if n == 0:
        path.unlink(missing_ok=True)
        reasons = ", ".join(f"{r.n_rows:,} {k}" for k, r in sorted(left_out.items()))
        raise ComputeError(
            "no-pairs",
            f"no row holds a pair that {name} can read ({reasons})",
            next_step="lists and ratings become pairs with --expand-choices, --ratings-to-pairs",
        )
    written = [str(path), str(metadata_path(path))]
    if beside is not None:
        write_whole(_dataset_info(path, shape), beside, option="-o")
        written.append(str(beside))
    if own is not None:
        write_whole(trainers_of(column), own, option="--trainer-file")
        written.append(str(own))
    w = weights.weighting
    done = Exported(
        exit=name,
        files=tuple(written),
        n_read=seen.n_rows,
        n_written=n,
        left_out=left_out,
        columns=(column,),
        weighting=Weighting(w.scheme, w.reason, FORMULA, w.source, n, seen.effective_size),
        notes=(*(use.format(path=path) for use in trainer.use), *lost),
    )
    write_metadata(run, done, path)
    return done


def _survey(run: Run, name: str) -> tuple[Shape, list[str]]:
    """What all rows must agree on, and what the trainer will not read of them, said once."""
    table = table_of(run)
    plain, several = True, False
    counts: dict[str, int] = {}
    for found in examples(run, table, weights_of(run, table)):
        if isinstance(found, NoPair):
            continue
        plain &= found.plain
        several |= len(found.chosen) > 1 or len(found.rejected) > 1
        for field in found.carried:
            counts[field] = counts.get(field, 0) + 1
    reads = TRAINERS[name].reads
    lost = [
        f"{name} does not read {field}, which {n:,} of the pairs have"
        for field, n in sorted(counts.items())
        if field not in reads
    ]
    return Shape(plain, several, frozenset(counts)), lost


def trainers_of(column: str) -> bytes:
    """The weighted trainers of TRL as a file that needs no cr-audit, for rows whose weights stand
    in ``column``."""
    text = files("cr_audit").joinpath("integrations/trl.py").read_text(encoding="utf-8")
    named = f"WEIGHT = {json.dumps(column)}\n"
    return text.replace('WEIGHT = "cr_weight"\n', named, 1).encode("utf-8")


def _dataset_info(path: Path, shape: Shape) -> bytes:
    """The entry that LLaMA-Factory wants for the file, in the tags of sharegpt."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    columns |= {k: k for k in ("tools", "images", "videos", "audios") if k in shape.carried}
    entry = {
        path.stem: {
            "file_name": path.name,
            "formatting": "sharegpt",
            "ranking": True,
            "columns": columns,
        }
    }
    return (json.dumps(entry, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
