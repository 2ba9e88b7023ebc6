"""What the X-ray says of trainers, against the code that they released."""

from __future__ import annotations

import copy
import importlib
import logging
from pathlib import Path
from typing import Any

import orjson
import pytest

import cr_audit as cr
from cr_audit.export.loaders import LOADERS, Fails, Loaded, Row
from cr_audit.readers.transcripts import NotATurn, render, turns_of
from tests.integrations.released import FOLDER, only, version

DISTRIBUTIONS = {
    "openrlhf": "openrlhf",
    "axolotl": "axolotl",
    "llama-factory": "llamafactory",
    "ms-swift": "ms_swift",
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(version, DISTRIBUTIONS.values())),
        reason=f"needs the released loaders in {FOLDER}: make loaders",
    ),
]


def say(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


ASK, YES, NO = say("user", "Why?"), say("assistant", "Yes."), say("assistant", "No.")
SYSTEM = say("system", "Be brief.")
PLAIN = {"prompt": "Why?", "chosen": "Yes.", "rejected": "No."}
TALK = {"prompt": [ASK], "chosen": [YES], "rejected": [NO]}
WHOLE = {"chosen": [ASK, YES], "rejected": [ASK, NO]}
FROM = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Why?"}]
SHARE = {
    "conversations": FROM,
    "chosen": {"from": "gpt", "value": "Yes."},
    "rejected": {"from": "gpt", "value": "No."},
}
Theirs = tuple[str, str, str] | None
"""Prompt, chosen and rejected; None where the loader gives no pair or ends."""


def words(prompt: str) -> list[str]:
    """Of a prompt, without roles and the marks of templates."""
    marks = ("<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>", "</s>")
    for mark in marks:
        prompt = prompt.replace(mark, " ")
    roles = {"user", "assistant", "system", "tool", "user:", "assistant:", "system:", "tool:"}
    return [w for w in prompt.split() if w not in roles]


def mine(trainer: str, row: Row) -> tuple[str, Loaded | None]:
    """The route that is taken and what it gives."""
    route = LOADERS[trainer].route(set(row))
    try:
        return route.name, route.load(row)
    except Fails:
        return route.name, None


def check(trainer: str, row: Row, theirs: Theirs) -> None:
    name, loaded = mine(trainer, row)
    if theirs is None:
        assert loaded is None, (name, row)
        return
    assert loaded is not None, (name, row, theirs)
    assert (loaded.chosen, loaded.rejected) == theirs[1:], (name, row)
    assert words(loaded.prompt) == words(theirs[0]), (name, row)


def rendered(value: Any) -> str:
    return value if isinstance(value, str) else render(turns_of(value))


def test_versions_are_those_that_were_read() -> None:
    for trainer, distribution in DISTRIBUTIONS.items():
        assert version(distribution) == LOADERS[trainer].version


class Template:
    """A tokenizer's chat template as plain text: what it is given comes out, role by role."""

    def apply_chat_template(self, messages: Any, **_: Any) -> str:
        return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)


# --- OpenRLHF ---

OPENRLHF = (
    PLAIN,
    {"chosen": "Why? Yes.", "rejected": "Why? No."},
    PLAIN | {"system": "Be brief.", "margin": 0.5, "cr_weight": 2.0},
    TALK,
    WHOLE,
    {"prompt": "Why?", "chosen": [YES], "rejected": [NO]},
    {"prompt": "Why?", "chosen": "Yes."},
)


def of_openrlhf(row: Row) -> Theirs:
    with only(
        "openrlhf.datasets.reward_dataset",
        ("openrlhf", "openrlhf.datasets"),
        openrlhf__utils={},
        openrlhf__utils__utils={"zero_pad_sequences": None},
    ) as module:
        spoken = not isinstance(row.get("chosen"), str)
        more: Any = {"apply_chat_template": Template().apply_chat_template} if spoken else {}
        key = "prompt" if "prompt" in row else None
        try:
            prompt, chosen, rejected, _ = module.preprocess_data(
                row, prompt_key=key, is_dpo=True, **more
            )
        except (KeyError, TypeError):
            return None

    def bare(text: str) -> str:
        return text.removeprefix("<|im_start|>assistant\n").removesuffix("<|im_end|>\n")

    return prompt, bare(chosen), bare(rejected)


@pytest.mark.parametrize("row", OPENRLHF, ids=str)
def test_openrlhf(row: Row) -> None:
    check("openrlhf", row, of_openrlhf(copy.deepcopy(row)))


# --- axolotl ---

AXOLOTL = (
    PLAIN,
    PLAIN | {"system": "Be brief."},
    {"input": "Why?", "chosen": "Yes.", "rejected": "No.", "system": "Be brief."},
    {"question": "Why?", "chosen": "Yes.", "rejected": "No."},
    {"instruction": "Why?", "chosen_response": "Yes.", "rejected_response": "No."},
    {"prompt": "Why?", "chosen": [ASK, YES], "rejected": [ASK, NO]},
    {"prompt": "Why?", "chosen": [SYSTEM, ASK, YES], "rejected": [SYSTEM, ASK, NO]},
    {"prompt": "Why?", "chosen": [YES], "rejected": [NO]},
    WHOLE,
    {"chosen": [SYSTEM, ASK, YES], "rejected": [SYSTEM, ASK, NO]},
    {"messages": [SYSTEM, ASK], "chosen": YES, "rejected": NO},
    {"messages": [ASK], "chosen": [YES, ASK, NO], "rejected": [NO, ASK, YES]},
    {"messages": [ASK], "chosen": "Yes.", "rejected": "No."},
    {"prompt": "Why?", "answers": [
        {"answer": t, "rank": r} for t, r in (("one", 2), ("two", 1), ("three", 4), ("four", 3))
    ]},
    {"prompt": "Why?", "answers": [{"answer": "one", "rank": 1}]},
)  # fmt: skip


def of_axolotl(row: dict[str, Any], route: str) -> Theirs:
    name = route.split(" ")[0]
    if name == "chatml.ultra" and isinstance(row["chosen"], str):
        name = "chatml.prompt_pairs"
    file, function = name.split(".")
    packages = ("axolotl", "axolotl.prompt_strategies", "axolotl.prompt_strategies.dpo",
                "axolotl.utils", "axolotl.utils.schemas")  # fmt: skip
    with only(
        f"axolotl.prompt_strategies.dpo.{file}",
        packages,
        axolotl__utils__logging={"get_logger": logging.getLogger},
    ) as module:
        config = {"chat_template": "chatml", "datasets": [{}]}
        made = getattr(module, function)(config)
        try:
            out = made[0](row, tokenizer=Template()) if isinstance(made, tuple) else made(row)
        except (KeyError, TypeError, IndexError):
            return None
    return out["prompt"], *(out[s].removesuffix("<|im_end|>") for s in ("chosen", "rejected"))


@pytest.mark.parametrize("row", AXOLOTL, ids=str)
def test_axolotl(row: Row) -> None:
    route, _ = mine("axolotl", row)
    check("axolotl", row, of_axolotl(copy.deepcopy(dict(row)), route))


# --- LLaMA-Factory ---

LLAMA = (
    PLAIN,
    {"instruction": "Why", "input": "is it?", "chosen": "Yes.", "rejected": "No."},
    {"instruction": "Why?", "input": "", "chosen": "Yes.", "rejected": "No."},
    {"instruction": "Why?", "chosen": [YES], "rejected": [NO]},
    SHARE,
    SHARE | {"conversations": FROM[1:]},
    SHARE | {"conversations": [FROM[1], FROM[1]]},
    SHARE | {"conversations": [FROM[1], {"from": "gpt", "value": "Hm."}]},
    SHARE | {"chosen": "Yes.", "rejected": "No."},
)


def of_llama(row: dict[str, Any], info: dict[str, Any] | None = None) -> Theirs:
    """By a row of ``dataset_info.json``; for alpaca with ``prompt`` mapped where there is one."""
    with only(
        "llamafactory.data.converter",
        ("llamafactory", "llamafactory.data"),
        llamafactory__extras={"logging": Logging},
        llamafactory__extras__constants={"DATA_CONFIG": "dataset_info.json"},
        llamafactory__extras__misc={"use_modelscope": None, "use_openmind": None},
    ) as module:
        attr = importlib.import_module("llamafactory.data.parser").DatasetAttr("file", "x")
        if info is None:
            share = "conversations" in row
            columns = {"chosen": "chosen", "rejected": "rejected"}
            if share:
                columns["messages"] = "conversations"
            elif "instruction" in row:
                columns |= {k: v for k, v in (("prompt", "instruction"), ("query", "input"))
                            if v in row}  # fmt: skip
            else:
                columns["prompt"] = "prompt"
            info = {"formatting": "sharegpt" if share else "alpaca", "ranking": True,
                    "columns": columns}  # fmt: skip
        attr.join(info)
        args = type("Arguments", (), {"media_dir": "", "streaming": False})()
        out = module.get_dataset_converter(attr.formatting, attr, args)(row)
    # What comes without two answers is left out by the trainer's next step.
    if len(out["_response"]) < 2 or not out["_prompt"]:
        return None
    system = [say("system", out["_system"])] if out["_system"] else []
    prompt = rendered([*system, *out["_prompt"]])
    won, lost = (r["content"] for r in out["_response"])
    return prompt, won, lost


class Logging:
    """Of the trainer's own, which asks for the rank of a process."""

    @staticmethod
    def get_logger(name: str) -> Any:
        quiet = type("Quiet", (), {"warning_rank0": lambda self, text: None})
        return quiet()


@pytest.mark.parametrize("row", LLAMA, ids=str)
def test_llama_factory(row: Row) -> None:
    check("llama-factory", row, of_llama(copy.deepcopy(dict(row))))


# --- ms-swift ---

SWIFT = (
    {"query": "Why?", "response": "Yes.", "rejected_response": "No."},
    {"system": "Be brief.", "query": "Why?", "response": "Yes.", "rejected_response": "No."},
    {"prompt": "Why?", "answer": "Yes.", "rejected_response": "No."},
    {"instruction": "Why", "input": "is it?", "output": "Yes.", "rejected_response": "No."},
    {"query": "Why?", "answer": "Yes.", "output": "Hm.", "rejected_response": "No."},
    {"query": "Why?", "prompt": "Who?", "response": "Yes.", "answer": "Hm.",
     "rejected_response": "No."},
    {"instruction": "Why?", "input": "", "answer": "Yes.", "rejected_response": "No."},
    {"system": "Be brief.", "query": "Why?", "rejected_response": "No."},
    {"question": "Why?", "rejected_response": "Why?"},
    {"rejected_response": "No."},
    {"system_prompt": "Be brief.", "query": "Why?", "response": "Yes.", "rejected_response": "No."},
    {"query": "Why?", "response": "Yes.", "rejected_response": "Yes."},
    {"prompt": "Why?", "question": "Who?", "response": "Yes.", "rejected_response": "No."},
    {"messages": [ASK, YES], "rejected_response": "No."},
    {"messages": [SYSTEM, ASK, YES], "rejected_response": "No."},
    {"system": "Be brief.", "messages": [ASK, YES], "rejected_response": "No."},
    {"messages": [ASK, YES], "rejected_response": "Yes."},
    {"messages": [ASK, YES], "rejected_messages": [ASK, NO]},
    {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Yes."}],
     "rejected_response": "No."},
    PLAIN,
)  # fmt: skip


def swift_template() -> dict[str, Any]:
    """Two functions of its templates, whose package needs a whole library of models."""
    logger = {"get_logger": lambda: logging.Logger("swift")}
    found: dict[str, Any] = {}
    for module, name in (
        ("utils", "history_to_messages"),
        ("template_inputs", "normalize_openai_tool_calls"),
    ):
        with only(
            f"swift.template.{module}", ("swift", "swift.template"), swift__utils=logger
        ) as made:
            found[name] = getattr(made, name)
    return found


def of_swift(row: dict[str, Any]) -> Theirs:
    gives = {**swift_template(), "MaxLengthError": type("MaxLengthError", (ValueError,), {})}
    with only(
        "swift.dataset.preprocessor.core",
        ("swift", "swift.dataset", "swift.dataset.preprocessor"),
        swift__template=gives,
        swift__template__template_inputs=gives,
        modelscope={},
        modelscope__hub={},
        modelscope__hub__utils={},
        modelscope__hub__utils__utils={"get_cache_dir": lambda: ""},
        swift__utils={
            "get_logger": lambda: logging.Logger("swift"),
            "is_dist": lambda: False,
            "is_master": lambda: True,
            "safe_ddp_context": None,
        },
    ) as core:
        features = type("Named", (), {"features": row})()
        preprocessor = core.AutoPreprocessor()._get_preprocessor(features)
        # The names of the columns, as ``safe_rename_columns`` maps them.
        named: list[tuple[str, str]] = []

        class Table:
            features = row

            def rename_columns(self, columns: dict[str, str]) -> Any:
                named.extend(columns.items())
                return self

        core.RowPreprocessor.safe_rename_columns.__globals__["HfIterableDataset"] = Table
        core.RowPreprocessor.safe_rename_columns(Table(), preprocessor.columns)
        new = dict(named)
        given = {new.get(k, k): [copy.deepcopy(v)] for k, v in row.items()}
        out = preprocessor.batched_preprocess(given, strict=False, ignore_max_length_error=True)
    if not out.get("messages"):
        return None
    messages = out["messages"][0]
    if "rejected_messages" in out:
        rejected = out["rejected_messages"][0][-1]["content"]
    elif out.get("rejected_response", [None])[0] is not None:
        rejected = out["rejected_response"][0]
    else:
        return None
    try:
        prompt = rendered(messages[:-1]) if len(messages) > 1 else ""
    except NotATurn:
        return None
    return prompt, messages[-1]["content"], rejected


@pytest.mark.parametrize("row", SWIFT, ids=str)
def test_ms_swift(row: Row) -> None:
    check("ms-swift", row, of_swift(copy.deepcopy(dict(row))))


# --- what is written for a trainer is read by it ---


@pytest.mark.parametrize("trainer", DISTRIBUTIONS)
@pytest.mark.parametrize("row", [PLAIN, TALK, TALK | {"prompt": [SYSTEM, ASK]}], ids=str)
def test_a_layout_is_what_its_trainer_reads(
    trainer: str, row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))
    Path("in.jsonl").write_bytes(orjson.dumps(row) + b"\n")
    cr.export("in.jsonl", "out.jsonl", to=trainer, model="none", weights="uniform")
    written = orjson.loads(Path("out.jsonl").read_bytes())
    theirs: Theirs
    if trainer == "axolotl":
        theirs = of_axolotl(written, mine(trainer, written)[0])
    elif trainer == "llama-factory":
        info = orjson.loads(Path("dataset_info.json").read_bytes())["out"]
        theirs = of_llama(written, info)
    else:
        theirs = {"openrlhf": of_openrlhf, "ms-swift": of_swift}[trainer](written)
    assert theirs is not None
    assert theirs[1:] == ("Yes.", "No.")
    assert words(theirs[0]) == words(rendered(row["prompt"]))
