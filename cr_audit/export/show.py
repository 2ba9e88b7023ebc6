"""An export for people: what was written, how it was weighed, what was left out and why."""

from __future__ import annotations

from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Column,
    Number,
    Numbers,
    Prose,
    Section,
    Steps,
    Table,
    Tone,
)
from cr_audit.export.loaders import FATES
from cr_audit.export.outcome import Exported
from cr_audit.export.xray import PAIRS, XRay
from cr_audit.wording import percent, plural

SHOWN_PLACES = 3


def blocks(done: Exported) -> list[Block]:
    """The files, the weights, the reasons."""
    n_left = sum(r.n_rows for r in done.left_out.values())
    answer = [
        f"{plural(done.n_written, 'row')} of {done.n_read:,} written to {done.files[0]}."
        if n_left
        else f"{plural(done.n_written, 'row')} written to {done.files[0]}."
    ]
    if done.exit == "clean" and not n_left and not done.n_rewritten:
        answer.append("Nothing had to go: the rows are those that were read.")
    if done.n_rewritten:
        rows = plural(done.n_rewritten, "row")
        answer.append(f"In {rows} the text of a copy was replaced by that of its medoid.")
    out: list[Block] = [Answer(tuple(answer))]
    if len(done.files) > 1:
        out.append(Prose(tuple(f"also written: {f}" for f in done.files[1:]), "dim"))
    w = done.weighting
    if w is not None:
        lines = [
            w.reason,
            f"weight of a row: {w.formula}",
            f"source: {w.source}",
            f"effective size {w.effective_size:,.1f} of {plural(w.n_rows, 'row')}",
        ]
        if done.columns:
            lines.append(f"columns: {', '.join(done.columns)}")
        out.append(Section("Weights", w.scheme, (Prose(tuple(lines), indent=2),)))
    if done.left_out:
        out.append(_left_out(done, n_left))
    if done.notes:
        out.append(Section("Notes", "", (Prose(done.notes, indent=2),)))
    return out


def _left_out(done: Exported, n_left: int) -> Block:
    rows = [
        (
            Cell(reason.replace("_", " "), (reason,)),
            Cell(f"{r.n_rows:,}", (r.n_rows,)),
            Cell(", ".join(r.places[:SHOWN_PLACES]), (" ".join(r.places),)),
        )
        for reason, r in sorted(done.left_out.items())
    ]
    table = Table.of(
        (
            Column("reason", "line", ("reason",)),
            Column("rows", "count", ("n_rows",)),
            Column("first", "place", ("places",)),
        ),
        rows,
        name="left-out",
        main=True,
    )
    return Section("Left out", plural(n_left, "row"), (table,))


_OUTCOMES = {
    "same": "the pair of the row, with its prompt",
    "reversed": "the pair of the row, the wrong way round",
    "prompt_differs": "the pair of the row, without a part of its prompt",
    "other_pair": "two other texts than those of the row",
    "worst_two": "of a list, the two that rank lowest",
    "tie": "a preference, where the row is a tie",
    "several": "a pair, from a row of several comparisons",
    "no_pair": "a pair, from a row that compares nothing",
    "column_missing": "fails: a column that the loader wants is not there",
    "prompt_and_answers_differ_in_kind": "fails: the prompt is text and the answers are messages,"
    " or the other way round",
    "not_a_message": "fails: messages without role and content",
    "not_a_text": "fails: a text was wanted",
    "not_a_ranked_list": "fails: answers without ranks, or fewer than two",
    "answers_are_no_texts": "left out: the answers are no texts",
    "answers_are_no_messages": "left out: the answers are no messages of from and value",
    "turns_do_not_alternate": "left out: user and model do not take turns",
    "no_rejected_response": "fails: there is no rejected_response",
    "no_response": "left out: no column that it takes for a response",
    "identical_answers": "left out: both answers are the same",
    "not_an_object": "no row: the line holds no object",
}
_BAD = frozenset(_OUTCOMES) - {"same", "several", "no_pair"}


def x_ray(seen: XRay, name: str) -> list[Block]:
    """What the loader does with every field, and what it makes of the rows."""
    n_same, n_made, n_bad = (seen.n_of(o) for o in (("same",), PAIRS, _BAD))
    title = f"{seen.trainer} {seen.version}"
    answer = [
        f"{title} makes a pair of {n_made:,} of {plural(seen.n_rows, 'row')}; in {n_same:,} it is"
        f" what the row says ({percent(n_same / max(seen.n_rows, 1))})."
    ]
    if n_same < seen.n_rows:
        answer.append(f"cr-audit export --as {name} writes rows that it reads as they are meant.")
    about = Prose(
        (
            f"loader: {seen.route}",
            f"read in {seen.where} of the released version",
            "Nothing was written. A weight column is dropped by every one of these loaders.",
        ),
        "dim",
    )
    fields = Table.of(
        (
            Column("field", "line", ("field",)),
            Column("rows", "count", ("n_rows",)),
            Column("is", "line", ("role",)),
            Column("what the loader does", "text", ("fate",)),
        ),
        [
            (
                Cell(name, (name,)),
                Cell(f"{c.n_rows:,}", (c.n_rows,)),
                Cell(c.role or "-", (c.role,)),
                Cell(
                    FATES[c.fate],
                    (c.fate,),
                    tone="warning"
                    if c.fate != "read" and (c.role or c.fate == "sorted")
                    else "plain",
                ),
            )
            for name, c in seen.columns.items()
        ],
        name="fields",
        main=True,
    )
    outcomes = Table.of(
        (
            Column("what it trains on", "text", ("outcome",)),
            Column("rows", "count", ("n_rows",)),
            Column("first", "place", ("places",)),
        ),
        [
            (
                Cell(_OUTCOMES[k], (k,), tone="warning" if k in _BAD else "plain"),
                Cell(f"{r.n_rows:,}", (r.n_rows,)),
                Cell(", ".join(r.places[:SHOWN_PLACES]), (" ".join(r.places),)),
            )
            for k, r in sorted(seen.outcomes.items(), key=lambda item: -item[1].n_rows)
        ],
        name="outcomes",
    )
    tone: Tone = "good" if n_same == seen.n_rows else "error" if n_bad == seen.n_rows else "warning"
    return [
        Answer(tuple(answer), tone),
        about,
        Section("Fields", "", (fields,)),
        Section("Rows", "", (outcomes,)),
    ]


def x_ray_page(seen: XRay, trainer: str, files: str) -> list[Block]:
    """The first screen of a page: three numbers and what to do. files : as a shell takes them."""

    def share(n: int) -> str:
        return percent(n / seen.n_rows if seen.n_rows else 0.0)

    n_pairs, n_same, n_reversed = (seen.n_of(o) for o in (PAIRS, ("same",), ("reversed",)))
    right: Tone = "good" if n_same == seen.n_rows else "warning" if n_same else "error"
    numbers = (
        Number(
            share(n_same),
            "of the rows train what they say",
            f"{n_same:,} of {seen.n_rows:,}",
            right,
        ),
        Number(
            f"{seen.n_rows - n_pairs:,}",
            f"of {plural(seen.n_rows, 'row')} make no pair",
            tone="plain" if n_pairs == seen.n_rows else "warning",
        ),
        Number(
            f"{n_reversed:,}",
            "pairs are trained the wrong way round",
            tone="error" if n_reversed else "plain",
        ),
    )
    if n_same == seen.n_rows:
        return [Numbers(numbers)]
    command = f"cr-audit export {files} --as {trainer} -o train.jsonl"
    steps = Steps(((command, "rows that this trainer reads as they are meant"),))
    return [Numbers(numbers), Section("Next", "", (steps,))]
