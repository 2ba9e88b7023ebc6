r"""Chat templates in written-out conversations: markers to turns, so that no marker is content.

Two sorts. *Special tokens* (``<|im_start|>``, ``[INST]``, ``<start_of_turn>`` …) stand nowhere
else: a text that holds their opening is a transcript. *Words* (``USER:``, ``### Response:``,
``Human:``) may stand in any text: they count only where the text begins with one (or with a
preamble before a user's turn) and an assistant's turn follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cr_audit.readers.turns import Turn, role_name


class Template(NamedTuple):
    """``opener`` finds where a turn begins and, in group 1, whose; ``ends`` close a turn.

    probe : a piece without which no text is of this template. words : the sort (see above).
    """

    name: str
    probe: str
    opener: re.Pattern[str]
    ends: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    roles: Mapping[str, str] = {}
    words: bool = False


_EOS = (
    "<|EOT|>",
    "<|eot_id|>",
    "</s>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<eos>",
    "<|im_end|>",
    "<|end|>",
)
TEMPLATES: tuple[Template, ...] = (
    Template(
        "ChatML",
        "<|im_start|>",
        re.compile(r"<\|im_start\|>\s*([\w-]+)[ \t]*\n?"),
        _EOS,
        ("<|startoftext|>", "<|begin_of_text|>"),
    ),
    Template(
        "Llama 3",
        "<|start_header_id|>",
        re.compile(r"<\|start_header_id\|>\s*([\w-]+)\s*<\|end_header_id\|>\s*"),
        ("<|eot_id|>", "<|eom_id|>", *_EOS),
        ("<|begin_of_text|>",),
    ),
    Template(
        "Llama 4",
        "<|header_start|>",
        re.compile(r"<\|header_start\|>\s*([\w-]+)\s*<\|header_end\|>\s*"),
        ("<|eot|>", "<|eom|>", *_EOS),
        ("<|begin_of_text|>",),
    ),
    Template(
        "Gemma",
        "<start_of_turn>",
        re.compile(r"<start_of_turn>\s*([\w-]+)[ \t]*\n?"),
        ("<end_of_turn>", *_EOS),
        ("<bos>",),
    ),
    Template(
        "Cohere",
        "<|START_OF_TURN_TOKEN|>",
        re.compile(
            r"<\|START_OF_TURN_TOKEN\|>\s*<\|(USER|CHATBOT|SYSTEM)_TOKEN\|>"
            r"\s*(?:<\|START_RESPONSE\|>)?"
        ),
        ("<|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|>", *_EOS),
        ("<BOS_TOKEN>",),
    ),
    Template(
        "harmony",
        "<|message|>",
        re.compile(
            r"<\|start\|>\s*([\w-]+)[^<]*(?:<\|(?:channel|constrain)\|>[^<]*)*<\|message\|>"
        ),
        ("<|end|>", "<|return|>", "<|call|>"),
    ),
    Template(
        "DeepSeek",
        "<｜",
        re.compile(r"<｜(User|Assistant|System)｜>"),
        ("<｜end▁of▁sentence｜>",),
        ("<｜begin▁of▁sentence｜>",),
    ),
    Template(
        "Granite",
        "<|start_of_role|>",
        re.compile(r"<\|start_of_role\|>\s*([\w-]+)[^<]*<\|end_of_role\|>"),
        _EOS,
    ),
    Template(
        "OpenChat",
        "<|end_of_turn|>",
        re.compile(r"GPT4 (?:Correct )?(User|Assistant):[ \t]*"),
        ("<|end_of_turn|>", *_EOS),
        ("<s>",),
    ),
    Template(
        "Kimi",
        "<|im_middle|>",
        re.compile(r"<\|im_(user|assistant|system|tool)\|>[^<]*<\|im_middle\|>"),
        _EOS,
    ),
    Template(
        "InternLM",
        "<eo",
        re.compile(r"<\|(User|Bot|System)\|>:[ \t]*"),
        ("<eoh>", "<eoa>", "<eosys>", *_EOS),
        ("<s>",),
    ),
    Template(
        "Nemotron",
        "<extra_id_1>",
        re.compile(r"<extra_id_[01]>(System|User|Assistant|Tool)[ \t]*\n?"),
        _EOS,
    ),
    Template(
        "Nemotron 4",
        "<SPECIAL_1",
        re.compile(r"<SPECIAL_1[01]>(System|User|Assistant|Tool)[ \t]*\n?"),
        _EOS,
    ),
    Template("Seed", "<seed:bos>", re.compile(r"<seed:bos>(\w+)[ \t]*\n"), ("<seed:eos>", *_EOS)),
    Template(
        "MiniMax",
        "<beginning_of_sentence>",
        re.compile(r"<beginning_of_sentence>(\w+)(?: name=[^\n]*)?[ \t]*\n"),
        ("<end_of_sentence>", *_EOS),
    ),
    Template(
        "Gemma 4", "<|turn>", re.compile(r"<\|turn>(\w+)[ \t]*\n?"), ("<turn|>", *_EOS), ("<bos>",)
    ),
    Template(
        "EXAONE",
        "[|assistant|]",
        re.compile(r"\[\|(user|assistant|system|tool)\|\][ \t]*"),
        ("[|endofturn|]", *_EOS),
        ("[BOS]",),
    ),
    Template(
        "Baichuan",
        "<reserved_107>",
        re.compile(r"<reserved_10(6|7)>"),
        _EOS,
        roles={"6": "user", "7": "assistant"},
    ),
    Template(
        "Saiga",
        "<s>",
        re.compile(r"<s>[ \t]*(system|user|bot|assistant)[ \t]*\n"),
        _EOS,
    ),
    Template(
        "Phi, Zephyr, GLM",
        "|>",
        re.compile(
            r"<\|(user|assistant|system|observation|tool|prompter)\|>[ \t]*\n?", re.IGNORECASE
        ),
        _EOS,
        ("[gMASK]", "<sop>", "<s>"),
    ),
    Template(
        "<human>, <bot>",
        "<bot>:",
        re.compile(r"<(human|bot)>:[ \t]*"),
        _EOS,
        words=True,
    ),
    Template(
        "Alpaca",
        "###",
        re.compile(
            r"(?:^|\n)[ \t]*###[ \t]*(Instruction|Input|Response|Human|Assistant|User|System|"
            r"Question|Answer)[ \t]*:?[ \t]*\n?|(?<=\S)###[ \t]*(?=Assistant:)(Assistant):[ \t]*"
        ),
        _EOS,
        ("<s>",),
        {
            "instruction": "user",
            "input": "user",
            "question": "user",
            "response": "assistant",
            "answer": "assistant",
        },
        words=True,
    ),
    Template(
        "Vicuna",
        "ASSISTANT:",
        re.compile(r"(?:^|(?<=\s)|(?<=</s>))(SYSTEM|USER|ASSISTANT):[ \t]?"),
        _EOS,
        ("<s>",),
        words=True,
    ),
    Template(
        "Human/Assistant",
        ":",
        re.compile(
            r"(?:^|\n)[ \t]*(?:\*\*)?(System|Human|User|Assistant|AI|Bot):(?:\*\*)?[ \t]?",
            re.IGNORECASE,
        ),
        ("<｜end▁of▁sentence｜>", *_EOS),
        ("<｜begin▁of▁sentence｜>", "<s>"),
        words=True,
    ),
    Template(
        "Question/Answer",
        "nswer:",
        re.compile(r"(?:^|\n)[ \t]*(Question|Answer):[ \t]?", re.IGNORECASE),
        _EOS,
        roles={"question": "user", "answer": "assistant"},
        words=True,
    ),
    Template(
        "Q/A",
        "A:",
        re.compile(r"(?:^|\n)[ \t]*(Q|A):[ \t]?"),
        _EOS,
        roles={"q": "user", "a": "assistant"},
        words=True,
    ),
    Template(
        "Instruct/Output",
        "utput:",
        re.compile(r"(?:^|\n)[ \t]*(Instruct|Output):[ \t]?"),
        _EOS,
        roles={"instruct": "user", "output": "assistant"},
        words=True,
    ),
)
_INST = re.compile(r"\[(/?)INST\]")
_SYS = re.compile(r"^\s*<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_SYSTEM_PROMPT = re.compile(r"\[/?SYSTEM_PROMPT\]|\[/?AVAILABLE_TOOLS\]")
_INST_ENDS = ("</s>", "<s>")
ENDS = tuple(dict.fromkeys(e for t in TEMPLATES for e in (*t.ends, *_INST_ENDS)))
NAMES = (*(t.name for t in TEMPLATES), "Llama 2, Mistral")


def closed(text: str, ends: tuple[str, ...] = ENDS) -> str:
    """The text without the tokens that end a turn, and without the white space before them."""
    if ">" not in text[-40:] and "|]" not in text[-40:]:
        return text
    while True:
        bare = text.rstrip()
        if not bare.endswith(ends):
            return text
        end = next(e for e in ends if bare.endswith(e))
        text = bare[: -len(end)]


def ended(text: str) -> str:
    """An answer without the special token that a model ends its turn with; ``</s>`` may be markup
    where the text holds ``<s>``."""
    if ">" not in text[-40:]:
        return text
    bare = text.rstrip()
    end = next((e for e in ENDS if e != "<s>" and bare.endswith(e)), None)
    if end is None or (end == "</s>" and "<s>" in text):
        return text
    return bare[: -len(end)]


_TOKENS = re.compile(
    r"<\||<start_of|<｜|\[/INST\]|<extra_id_1>|<SPECIAL_1|<seed:bos>|<beginning_of_sentence>|"
    r"\[\|assistant\|\]|<reserved_10|<s>[ \t]*(?:user|system|bot)\b"
)
_WHOLE = re.compile(
    r"<|ssistant:|###|ASSISTANT:|\[/INST\]|\[\|assistant\|\]|(?:^|\n)[ \t]*(?:\*\*)?"
    r"(?:[Aa]nswer|A|AI|ai|Bot|bot|Output):"
)


def may_hold_tokens(text: str) -> bool:
    """A quick look: whether special tokens may stand in a text."""
    return ("<" in text or "[" in text) and _TOKENS.search(text) is not None


def may_be_whole(text: str) -> bool:
    """A quick look: whether a text may be a conversation in any template."""
    return _WHOLE.search(text) is not None


def parse(text: str, *, words: bool = True) -> list[Turn] | None:
    """The turns of a written-out conversation, or None if it is none.

    words : whether templates of plain words count. A last, open assistant turn has the text "".
    """
    if not may_be_whole(text):
        return None
    if "[/INST]" in text:
        return _instructions(text)
    for template in TEMPLATES:
        if template.probe in text and (words or not template.words):
            turns = _turns(text, template)
            if turns is not None:
                return turns
    return None


def _turns(text: str, template: Template) -> list[Turn] | None:
    found = list(template.opener.finditer(text))
    if not found:
        return None
    before = text[: found[0].start()]
    for token in template.begins:
        before = before.replace(token, "")
    before = before.strip()
    names = [next(filter(None, m.groups())).lower() for m in found]
    roles = [template.roles.get(n) or role_name(n) for n in names]
    if template.words:
        if "assistant" not in roles or roles[0] == "assistant":
            return None
        if before and (roles[0] != "user" or len(before) > 2000):
            return None
    turns = []
    if before:
        turns.append(Turn("user" if roles[0] == "assistant" else "system", before))
    ends = [m.start() for m in found[1:]] + [len(text)]
    for role, match, end in zip(roles, found, ends, strict=True):
        said = closed(text[match.end() : end], template.ends or ENDS).strip()
        if template.words and turns and turns[-1].role == role == "user":
            turns[-1] = Turn("user", f"{turns[-1].text}\n\n{said}".strip())
        elif said or role != "system":
            turns.append(Turn(role, said))
    return turns


def _instructions(text: str) -> list[Turn] | None:
    """Llama 2 and Mistral: ``<s>[INST] <<SYS>>…<</SYS>> question [/INST] answer</s>``."""
    pieces = _INST.split(text)
    turns: list[Turn] = []
    start = _SYSTEM_PROMPT.sub("", pieces[0].replace("<s>", "")).strip()
    if start:
        turns.append(Turn("system" if pieces[1] == "" else "user", start))
    for slash, said in zip(pieces[1::2], pieces[2::2], strict=True):
        if slash:
            turns.append(Turn("assistant", closed(said.strip(), _INST_ENDS).strip()))
            continue
        system = _SYS.match(said)
        if system:
            turns.append(Turn("system", system.group(1).strip()))
            said = said[system.end() :]
        if said.strip():
            turns.append(Turn("user", said.strip()))
    return turns
