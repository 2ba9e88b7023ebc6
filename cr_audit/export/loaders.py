"""What released trainers make of a row, before any token: facts read in their sources.

A route is one way in which a trainer's loader takes rows, chosen by the columns that are there (the
rule of the loader itself, or what its documentation tells users to configure for such columns).
``load`` gives the texts of prompt, preferred and other response that it would train on, or says by
a slug why it gives none. Tests run TRL's own loader beside the routes of ``trl``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cr_audit.readers.transcripts import (
    NotATurn,
    cut_texts,
    cut_turns,
    is_messages,
    render,
    shared_prefix,
    turns_of,
)

Row = Mapping[str, Any]


class Loaded(NamedTuple):
    """prompt : "" where there is none."""

    prompt: str
    chosen: str
    rejected: str


class Fails(Exception):
    """No pair comes of the row: a slug."""


@dataclass(frozen=True, slots=True)
class Route:
    """needs : columns without which it is not taken. reads : column -> what becomes of it, a slug
    of ``FATES``; all other columns are dropped. where : the source that was read."""

    name: str
    where: str
    needs: tuple[str, ...]
    reads: Mapping[str, str]
    load: Callable[[Row], Loaded]


@dataclass(frozen=True, slots=True)
class Loader:
    """A trainer's loader in one released version. routes : in the order in which they are tried;
    the last one is taken where none fits."""

    name: str
    version: str
    routes: tuple[Route, ...]

    def route(self, columns: set[str]) -> Route:
        """The first route whose columns are all there, else the last."""
        return next((r for r in self.routes if set(r.needs) <= columns), self.routes[-1])


FATES = {
    "read": "read",
    "reward_only": "read by the reward trainer; DPO drops it",
    "vision_only": "read with a vision model",
    "only_one": "read if no other column means the same; of two none is",
    "with_option": "read where an option names it",
    "sorted": "sorted by rank; the last two are taken, the last one as chosen",
    "second_message": "its second message alone is read",
    "last_message": "its last message alone is read",
    "dropped": "dropped",
}


def _text(value: Any) -> str:
    """Messages as the audit writes them, texts as they are."""
    if isinstance(value, str):
        return value
    if is_messages(value):
        try:
            return render(turns_of(value))
        except NotATurn:
            raise Fails("not_a_message") from None
    raise Fails("not_a_text")


def _there(row: Row, *names: str) -> None:
    for name in names:
        if row.get(name) is None:
            raise Fails("column_missing")


# --- TRL ---


def _trl(row: Row) -> Loaded:
    _there(row, "chosen", "rejected")
    chosen, rejected, prompt = row["chosen"], row["rejected"], row.get("prompt")
    kinds = {
        isinstance(v, str) for v in (chosen, rejected) + ((prompt,) if "prompt" in row else ())
    }
    if len(kinds) > 1 or ("prompt" in row and prompt is None):
        raise Fails("prompt_and_answers_differ_in_kind")  # prompt + answer is a TypeError
    if prompt is not None:
        return Loaded(_text(prompt), _text(chosen), _text(rejected))
    if isinstance(chosen, str):
        cut = cut_texts(chosen, rejected)
        if cut is not None:
            return Loaded(render(cut[0]), cut[1], cut[2])
        at = shared_prefix(chosen, rejected)
        return Loaded(chosen[:at], chosen[at:], rejected[at:])
    try:
        shared, won, lost = cut_turns(turns_of(chosen), turns_of(rejected))
    except NotATurn:
        raise Fails("not_a_message") from None
    return Loaded(render(shared), render(won), render(lost))


_TRL = Loader(
    "TRL",
    "1.16.0",
    (
        Route(
            "DPOTrainer and RewardTrainer",
            "trl/trainer/dpo_trainer.py, trl/trainer/reward_trainer.py",
            ("chosen", "rejected"),
            {
                "prompt": "read",
                "chosen": "read",
                "rejected": "read",
                "tools": "read",
                "chat_template_kwargs": "read",
                "margin": "reward_only",
                "images": "vision_only",
                "image": "vision_only",
            },
            _trl,
        ),
    ),
)


# --- OpenRLHF ---


def _openrlhf(row: Row) -> Loaded:
    _there(row, "chosen", "rejected")
    if "prompt" not in row:
        return (
            _trl(row)
            if not isinstance(row["chosen"], str)
            else Loaded("", _text(row["chosen"]), _text(row["rejected"]))
        )
    return _trl(row)


_OPENRLHF = Loader(
    "OpenRLHF",
    "0.11.0",
    (
        Route(
            "RewardDataset",
            "openrlhf/datasets/reward_dataset.py",
            ("chosen", "rejected"),
            {
                "prompt": "with_option",
                "chosen": "read",
                "rejected": "read",
                "margin": "reward_only",
            },
            _openrlhf,
        ),
    ),
)


# --- axolotl ---


def _last(value: Any) -> str:
    """The content of a text, a message, or the last message of a list."""
    if isinstance(value, str):
        return value
    message = value[-1] if isinstance(value, list) and value else value
    if isinstance(message, dict) and isinstance(message.get("content"), str):
        return str(message["content"])
    raise Fails("not_a_text")


def _chat_template(row: Row) -> Loaded:
    _there(row, "messages", "chosen", "rejected")
    return Loaded(_text(row["messages"]), _last(row["chosen"]), _last(row["rejected"]))


def _argilla_chat(row: Row) -> Loaded:
    _there(row, "chosen", "rejected")
    if not is_messages(row["chosen"]) or not is_messages(row["rejected"]):
        raise Fails("not_a_message")
    head = row["chosen"][:-1]
    return Loaded(_text(head) if head else "", _last(row["chosen"]), _last(row["rejected"]))


def _nectar(row: Row) -> Loaded:
    _there(row, "prompt", "answers")
    try:
        answers = sorted(row["answers"], key=lambda answer: answer["rank"])
        return Loaded(
            _text(row["prompt"]), _text(answers[-1]["answer"]), _text(answers[-2]["answer"])
        )
    except (KeyError, TypeError, IndexError):
        raise Fails("not_a_ranked_list") from None


def _second(value: Any) -> str:
    try:
        return _text(value[1]["content"])
    except (KeyError, TypeError, IndexError):
        raise Fails("not_a_message") from None


def _ultra(row: Row) -> Loaded:
    _there(row, "prompt", "chosen", "rejected")
    if isinstance(row["chosen"], str):
        return _chatml(row)
    return Loaded(_with_system(row, "prompt"), _second(row["chosen"]), _second(row["rejected"]))


def _with_system(row: Row, asked: str) -> str:
    system = row.get("system")
    prompt = _text(row[asked])
    return f"{system}\n\n{prompt}" if system else prompt


def _chatml(row: Row) -> Loaded:
    asked = next((n for n in ("prompt", "input", "question") if n in row), "instruction")
    chosen = "chosen" if "chosen" in row else "chosen_response"
    rejected = "rejected" if "rejected" in row else "rejected_response"
    _there(row, asked, chosen, rejected)
    for name in (asked, chosen, rejected):
        if not isinstance(row[name], str):
            raise Fails("not_a_text")  # the list is written out as Python code
    return Loaded(_with_system(row, asked), row[chosen], row[rejected])


_READ = dict.fromkeys(
    (
        "system", "prompt", "input", "question", "instruction", "chosen", "chosen_response",
        "rejected", "rejected_response",
    ),
    "read",
)  # fmt: skip
_DPO = "src/axolotl/prompt_strategies/dpo"
_AXOLOTL = Loader(
    "axolotl",
    "0.18.0",
    (
        Route(
            "chat_template.default",
            f"{_DPO}/chat_template.py",
            ("messages", "chosen", "rejected"),
            {"messages": "read", "chosen": "last_message", "rejected": "last_message"},
            _chat_template,
        ),
        Route(
            "zephyr.nectar",
            f"{_DPO}/zephyr.py",
            ("prompt", "answers"),
            {"prompt": "read", "answers": "sorted"},
            _nectar,
        ),
        Route(
            "chatml.ultra for messages, chatml.prompt_pairs for texts",
            f"{_DPO}/chatml.py",
            ("prompt", "chosen", "rejected"),
            {
                "system": "read",
                "prompt": "read",
                "chosen": "second_message",
                "rejected": "second_message",
            },
            _ultra,
        ),
        Route("chatml.icr", f"{_DPO}/chatml.py", ("input", "chosen", "rejected"),
              {k: _READ[k] for k in ("system", "input", "chosen", "rejected")}, _chatml),
        Route("chatml.intel", f"{_DPO}/chatml.py", ("question", "chosen", "rejected"),
              {k: _READ[k] for k in ("system", "question", "chosen", "rejected")}, _chatml),
        Route("chatml.default", f"{_DPO}/chatml.py", ("instruction",), _READ, _chatml),
        Route(
            "chat_template.argilla_chat",
            f"{_DPO}/chat_template.py",
            ("chosen", "rejected"),
            {"chosen": "read", "rejected": "last_message"},
            _argilla_chat,
        ),
    ),
)  # fmt: skip


# --- LLaMA-Factory ---


def _alpaca(row: Row) -> Loaded:
    asked = [row[n] for n in ("instruction", "input") if row.get(n)]
    if not asked and row.get("prompt"):
        asked = [row["prompt"]]
    _there(row, "chosen", "rejected")
    if not isinstance(row["chosen"], str) or not isinstance(row["rejected"], str):
        raise Fails("answers_are_no_texts")
    return Loaded("\n".join(_text(a) for a in asked), row["chosen"], row["rejected"])


def _sharegpt(row: Row) -> Loaded:
    _there(row, "conversations", "chosen", "rejected")
    sides = []
    for name in ("chosen", "rejected"):
        side = row[name]
        if not isinstance(side, dict) or not isinstance(side.get("value"), str):
            raise Fails("answers_are_no_messages")
        sides.append(side["value"])
    turns = row["conversations"]
    if not isinstance(turns, list) or not all(isinstance(t, dict) for t in turns):
        raise Fails("not_a_message")
    asked = turns[1:] if turns and turns[0].get("from") == "system" else turns
    even = [t.get("from") in ("human", "observation") for t in asked]
    if len(asked) % 2 == 0 or even != [i % 2 == 0 for i in range(len(asked))]:
        raise Fails("turns_do_not_alternate")
    return Loaded(_text(turns), sides[0], sides[1])


_CONVERTER = "src/llamafactory/data/converter.py"
_MEDIA = dict.fromkeys(("tools", "images", "videos", "audios", "system"), "with_option")
_LLAMA = Loader(
    "LLaMA-Factory",
    "0.9.5",
    (
        Route(
            "sharegpt, ranking",
            _CONVERTER,
            ("conversations", "chosen", "rejected"),
            {"conversations": "read", "chosen": "read", "rejected": "read", **_MEDIA},
            _sharegpt,
        ),
        Route(
            "alpaca, ranking",
            _CONVERTER,
            ("chosen", "rejected"),
            {
                "instruction": "read",
                "input": "read",
                "prompt": "with_option",
                "history": "with_option",
                "chosen": "read",
                "rejected": "read",
                **_MEDIA,
            },
            _alpaca,
        ),
    ),
)


# --- ms-swift ---


def _swift_messages(row: Row) -> Loaded:
    turns = next(row[n] for n in ("messages", "conversation", "conversations") if n in row)
    if not is_messages(turns):
        raise Fails("not_a_message")
    rejected = row.get("rejected_response")
    if rejected is None and is_messages(row.get("rejected_messages")):
        rejected = row["rejected_messages"][-1].get("content")
    if rejected is None:
        raise Fails("no_rejected_response")
    if not isinstance(rejected, str):
        rejected = _text(rejected)
    last = turns[-1].get("content", turns[-1].get("value"))
    if not isinstance(last, str):
        raise Fails("not_a_text")
    if last == rejected:
        raise Fails("identical_answers")
    prompt = _text(turns[:-1]) if len(turns) > 1 else ""
    system = row.get("system")
    return Loaded(f"{system}\n\n{prompt}" if system else prompt, last, rejected)


def _renamed(row: Row, own: str, others: tuple[str, ...]) -> Any:
    """What the loader finds under ``own``: that column, or the only one of the others that is
    there. Of several none is taken."""
    if own in row:
        return row[own]
    there = [n for n in others if n in row]
    return row[there[0]] if len(there) == 1 else None


def _swift_pair(row: Row, asked: Any) -> Loaded:
    """Without a response the turn before it is taken for one."""
    rejected = row.get("rejected_response")
    if rejected is None:
        raise Fails("no_rejected_response")
    system = _renamed(row, "system", ("system_prompt",))
    response = _renamed(row, "response", _RESPONSES)
    turns = [_text(t) for t in (system, asked, response) if t is not None]
    if not turns:
        raise Fails("no_response")
    if rejected == turns[-1]:
        raise Fails("identical_answers")
    return Loaded("\n\n".join(t for t in turns[:-1] if t), turns[-1], _text(rejected))


def _swift_columns(row: Row) -> Loaded:
    return _swift_pair(row, _renamed(row, "query", _QUERIES))


def _swift_alpaca(row: Row) -> Loaded:
    return _swift_pair(
        row, "\n".join(_text(row[n]) for n in ("instruction", "input") if row.get(n))
    )


_QUERIES = ("prompt", "input", "instruction", "question", "problem")
_RESPONSES = (
    "answer", "output", "targets", "target", "answer_key", "answers", "solution",
    "text", "completion", "content",
)  # fmt: skip
_CORE = "swift/dataset/preprocessor/core.py"
_KEPT = dict.fromkeys(
    (
        "rejected_response", "rejected_messages", "tools", "images", "image", "videos", "video",
        "audios", "audio", "label", "channel", "chat_template_kwargs", "system", "system_prompt",
    ),
    "read",
) | {"margin": "reward_only"}  # fmt: skip
_SWIFT = Loader(
    "ms-swift",
    "4.5.2",
    (
        *(
            Route("MessagesPreprocessor", _CORE, (name,), {name: "read", **_KEPT}, _swift_messages)
            for name in ("messages", "conversation", "conversations")
        ),
        Route(
            "AlpacaPreprocessor",
            _CORE,
            ("instruction", "input"),
            {
                **dict.fromkeys(("instruction", "input", "response"), "read"),
                **dict.fromkeys(_RESPONSES, "only_one"),
                "history": "read",
                **_KEPT,
            },
            _swift_alpaca,
        ),
        Route(
            "ResponsePreprocessor",
            _CORE,
            (),
            {
                **dict.fromkeys(("query", "response", *_QUERIES, *_RESPONSES), "only_one"),
                "history": "read",
                **_KEPT,
            },
            _swift_columns,
        ),
    ),
)

LOADERS: dict[str, Loader] = {
    "trl": _TRL,
    "openrlhf": _OPENRLHF,
    "axolotl": _AXOLOTL,
    "llama-factory": _LLAMA,
    "ms-swift": _SWIFT,
}
