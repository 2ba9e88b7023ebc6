"""``docs/schemas.md``, made of the readers' tables: ``python -m cr_audit.readers.page``."""

from __future__ import annotations

import re
import textwrap

from cr_audit.readers.containers import CONTAINERS
from cr_audit.readers.detect import ELSEWHERE, ROLES, SAMPLE
from cr_audit.readers.labels import LEFT, RIGHT, TIE
from cr_audit.readers.media import FIELDS
from cr_audit.readers.reasons import NOTED, SKIPPED
from cr_audit.readers.schemas import PROMPTS, SHARING, TABLE, Schema
from cr_audit.readers.templates import NAMES
from cr_audit.readers.transcripts import MIN_SHARED

_INTRODUCTION = f"""# Schemas

<!-- Generated: python -m cr_audit.readers.page > docs/schemas.md -->

What `cr-audit` reads by itself. A file's schema is detected from its first {SAMPLE} rows and, where
they can be reached without reading all of it (JSON, Parquet, uncompressed JSONL), from {ELSEWHERE}
rows
of its end and middle; the report names it, the share of those rows that parse (the confidence), the
field behind each role, the fields without a role, and the runners-up. `--schema NAME` forces one;
`--map ROLE=FIELD,…` says which field is what.

## How a schema is recognised

1. Every role that it *needs* must find a field: the first of its candidate names that some row has
   (where no field has that very name, case, blanks, hyphens and CamelCase do not matter; `a.b` is
   field `b` inside field `a`, and a name inside one object of the row, or at the end of a path, is
   found there). Sides are bound in pairs: `response_1` is left of `response_2` and right of
   `response_0`. Two fields whose names differ in nothing but the word for a side
   (`orig_response_A`, `orig_response_B`) are the sides of a generic schema that finds no others.
2. Fields it needs besides must be there, fields it rules out must not. Some entries also look at
   the
   values: message lists, lists of texts, transcripts, two scores in one field.
3. At least half of the sampled rows must parse. A row whose label is explicitly missing counts as
   parsed.
4. The schema that explains most fields wins. Generic schemas count only where no specific one fits.
   If two schemas find two judgements in different fields of the same rows, or explain the rows
   equally
   well and read them differently, the read stops with exit code 3 and gives the two `--schema`
   lines;
   if none fits, it gives the fields found, the nearest schemas and a `--map` made of the rows' own
   fields. Fields whose names do not say which of two answers is preferred are never taken for a
   preference.
5. Fields that first appear in a later row are used from there on, by the same names.

Roles in a mapping that name sides, labels, scores or lists choose a generic schema, whose other
roles are
still found by name: `--map prompt=question,chosen=better` looks for `rejected`, `worse` and so on
by
itself. A mapping of context alone (`prompt`, `annotator`, `weight` …) is laid over the detected
schema.

## The table

Candidate fields are separated by `/`, the first that exists is taken. "needs" lists role: fields.

| schema | seen in | needs | what becomes what |
|---|---|---|---|
"""

_CONTAINERS = f"""
## Containers

JSONL, JSON (an array, an object that holds one array of rows, splits or rows under their ids, a
table by columns, or several such documents one behind the other), CSV, TSV and Parquet, each
plain, gzip or zstd, several files at once, `-` for standard input. The suffix decides
unless the content refutes it; without a suffix the content decides; `--container` \
({", ".join(f"`{c}`" for c in CONTAINERS)}) overrides both. Columns may be separated by comma,
semicolon,
tab or bar, and a first line `sep=;` is obeyed. Cells that hold lists of messages, as JSON or as
Python
or numpy print them, are read as such. JSONL and CSV are streamed; JSON and Parquet are read whole.
UTF-8 only; a byte order mark is passed over. Lines may end in CR, LF or both; several objects on
one
line are several rows. `line` is the physical line in JSONL, the last line of a record in CSV, and
the
position from 1 in a JSON array or a Parquet table. Blank lines are no rows. A JSONL row that is not
valid JSON is a skipped row; a file that is empty, binary, not UTF-8, damaged or cut short stops
the read
(exit 3). Messages of flat trees (`message_id`, `parent_id`, `text`, `role`) are gathered into one
row per
set of sibling replies. Rows of nothing but lists of one length, prompts among them, are batches:
one row per entry.
"""

_IDENTITY = f"""
## Prompts

Beside a schema's own candidates the prompt is looked for under the names below, best first; where
the
first is missing in a row, the next stands in. A name that ends in prompt, question, query or
instruction is one of them too. All of system, context, tools, options and input that are found
belong to the prompt, joined by blank lines. A row without any has the remark `no_prompt`.

PROMPTS

Columns of pictures, sound and films ({", ".join(f"`{f}`" for f in sorted(FIELDS))}) and such parts
of
messages belong to it too: `[image 0123456789abcdef]` stands for the digest of the bytes, or of the
path
or address where there are no bytes.

Whole conversations in both sides are cut at their last common turn: what both begin with follows
the
row's own prompt, each turn once. Written-out conversations are read by their templates
({", ".join(NAMES)}), and markers are no content, nor is the token that ends an answer. Bare texts
that begin alike in at least
{SHARING:.0%} of the sampled pairs (with {MIN_SHARED} words or more) are cut where that beginning's
last
line or sentence ends. One user turn is rendered as its text alone, longer conversations as `role:
text`
paragraphs. Tool calls (name and arguments as JSON, without their random ids), thoughts (in
`<think>`
marks), refusals and tool results are part of a turn's text.

## Identity

- A prompt is its text, or its key where the data gives no text. Without either there is one global
  prompt.
- An alternative is its prompt, canonical text (NFC, outer white space trimmed), model and own key,
  each where the data gives it. An id of the *response* (`arg1_id`, `winner_id`, `message_id`) is a
  key, so two ids with equal text are two alternatives and exact clones; an id of the *row* is not.
  In data without text a response is its prompt's key and its model, or its place in the pair.
- Invisible and look-alike characters are kept: two answers that differ in nothing else are two
  alternatives, with a remark.
- A response that is named by its model alone is the one with text of that model under the same
  prompt, or prompt's key, where there is just one (`text_joined`); with two it is neither.
- Keys are taken as they are. Files whose keys mean different things (`case` 1 here and `case` 1
  there) should be read apart.

## Labels

Words that mean the same everywhere are known in any spelling of case, blanks, hyphens and brackets.
Left: {", ".join(f"`{w}`" for w in LEFT)}. Right: {", ".join(f"`{w}`" for w in RIGHT)}.
Ties: {", ".join(f"`{w}`" for w in TIE)}. Phrases around one side's name are understood ("Response
A is
slightly better"). A label may also repeat the name of a side's field, its model, key or text.

A bare `0` is not known: in some data it is a tie, in other data a side; and a `1` beside `0` or
other
numbers is then not known either. The read stops, whatever `--max-skipped` allows, with the values
that
were met in `--map` lines, one for each meaning they may have: which of them is right is not in
the data. Say what a value is with
`left_label`, `right_label` and `tie_label` (several: `tie_label=0|none`), in any spelling, and
which say that nobody judged with `no_label`; a number that
is left out of them is unknown, never a side. Anything else is `unknown_label`, never a tie.
"""

_AFTER = """
`--expand-choices` adds the strict pairs: a better rank beats a worse one; where only the choice is
known, it beats the rest; equal ranks and unranked members imply nothing. This assumes the
independence of irrelevant alternatives. `--ratings-to-pairs` pairs the ratings of one prompt,
aspect
and annotator: the higher wins, equal scores are a tie.
"""


def _needs(schema: Schema) -> str:
    parts = [f"{r}: {'/'.join(f'`{f}`' for f in schema.roles[r])}" for r in schema.needs]
    if schema.also:
        parts.append("also " + ", ".join(f"`{f}`" for f in schema.also))
    if schema.without:
        shown = schema.without if len(schema.without) <= 12 else ()
        kind = "a prompt" if "prompt" in schema.without else "an answer"
        names = ", ".join(f"`{f}`" for f in shown) or f"any field that may be {kind}"
        parts.append(f"not {names}")
    return "; ".join(parts)


def _table(head: str, rows: dict[str, str]) -> str:
    lines = [f"| {head} | meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{k}` | {v} |" for k, v in rows.items())]) + "\n"


_CODE, _GLUE = re.compile(r"`[^`]*`"), "\x00"
_ITEM = re.compile(r"(?m)^(?=- |\d+\. )")


def _filled(markdown: str) -> str:
    """Paragraphs and list items in lines of at most 100 characters; tables and headings stay."""
    blocks = []
    for block in markdown.split("\n\n"):
        if block.lstrip().startswith(("|", "#", "<")):
            blocks.append(block)
            continue
        pieces = [p for p in _ITEM.split(block) if p.strip()]
        lines = []
        for piece in pieces:
            mark = re.match(r"- |\d+\. ", piece)
            indent = " " * len(mark.group(0)) if mark else ""
            lines.append(
                textwrap.fill(
                    _CODE.sub(lambda m: m.group(0).replace(" ", _GLUE), " ".join(piece.split())),
                    100,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                ).replace(_GLUE, " ")
            )
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks).rstrip("\n") + "\n"


def page() -> str:
    """The page as Markdown."""
    rows = [f"| `{s.name}` | {s.seen_in} | {_needs(s)} | {s.becomes} |" for s in TABLE]
    names = "\n".join(f"- {role}: {', '.join(f'`{n}`' for n in PROMPTS[role])}" for role in PROMPTS)
    whole = "".join(
        (
            _INTRODUCTION,
            "\n".join(rows) + "\n",
            _CONTAINERS,
            _IDENTITY.replace("PROMPTS", names),
            "\n## Skipped rows\n\nA skipped row has one reason. `missing_label` is counted among"
            " the skipped rows but is data, not damage: it\nnever stops a read. All other reasons"
            " count towards `--max-skipped` (default 1 %); beyond it the read\nstops with exit 3,"
            " the first five rows with file and line, and what mends the commonest reason.\n\n",
            _table("reason", SKIPPED),
            "\n## Remarks on rows that are kept\n\n",
            _table("remark", NOTED),
            _AFTER,
            "\n## Roles for --map\n\n",
            ", ".join(f"`{r}`" for r in sorted(ROLES)),
            "; `model`, `key` and `weight` are short for `text_model`, `text_key` and `mass`.\n",
        )
    )
    return _filled(whole)


if __name__ == "__main__":
    print(page(), end="")
