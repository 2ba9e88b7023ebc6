"""Blocks as one HTML file: no request to anywhere, no script, everything from the data escaped.

The content policy forbids scripts, connections, frames and remote anything, so that a text that got
past the escaping would still do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as escape_markup

from cr_audit import __version__
from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Cells,
    Chart,
    Column,
    Diff,
    DiffRun,
    Header,
    Prose,
    Section,
    SlopeChart,
    Steps,
    Table,
    Verdict,
    Words,
    spans,
)
from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.chart_svg import chart_svg
from cr_audit.write.escape import shorten, visible
from cr_audit.write.slope_svg import slope_svg

MAX_ROWS = 500
"""Rows of one table; how many there are is said, and the JSON has them all."""
TEXT = 400
"""Characters of one cell."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'"
)
_STYLE = """
:root{color-scheme:light dark;--fg:#1f2328;--bg:#fff;--dim:#59636e;--line:#d1d9e0;--soft:#f6f8fa;
--good:#116329;--bad:#a40e26;--warn:#7d4e00;--note:#0550ae}
@media (prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--dim:#9198a1;--line:#3d444d;
--soft:#151b23;--good:#4ac26b;--bad:#ff8182;--warn:#d4a72c;--note:#79c0ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:72rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem}
.note{color:var(--dim);font-weight:400;font-size:.9rem}
.answer{border-left:.3rem solid var(--note);padding:.2rem 1rem;margin:1rem 0;font-size:1.05rem}
.answer p{margin:.3rem 0}
.t-good{color:var(--good)}.t-bad,.t-error{color:var(--bad)}.t-warning{color:var(--warn)}
.t-note,.t-name{color:var(--note)}.t-dim{color:var(--dim)}.t-strong,.t-error{font-weight:600}
.answer.t-good{border-color:var(--good);color:inherit}
.answer.t-error,.answer.t-bad{border-color:var(--bad);color:inherit;font-weight:400}
.answer.t-warning{border-color:var(--warn);color:inherit}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.92rem;margin:.5rem 0}
caption{text-align:left;color:var(--dim);padding:.2rem 0}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
overflow-wrap:anywhere}
th{color:var(--dim);font-weight:600;overflow-wrap:normal}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;overflow-wrap:normal}
.id,.place,code{font-family:ui-monospace,monospace;font-size:.88em}.id{white-space:nowrap}
.below{display:block;color:var(--dim);font-size:.88em}
code{background:var(--soft);padding:.1rem .3rem;border-radius:.2rem;overflow-wrap:anywhere}
dl.steps{margin:.5rem 0}dl.steps dd{margin:0 0 .6rem 1.2rem;color:var(--dim)}
ins{background:color-mix(in srgb,var(--good) 18%,transparent);text-decoration:underline}
del{background:color-mix(in srgb,var(--bad) 18%,transparent)}
.diff{display:grid;grid-template-columns:1fr 1fr;gap:1rem}.diff h4{margin:.2rem 0}
@media (max-width:40rem){.diff{grid-template-columns:1fr}}
figure{margin:1rem 0;overflow-x:auto}figure svg{max-width:100%;height:auto;background:#fff}
footer{margin-top:3rem;color:var(--dim);font-size:.85rem}
@media print{body{max-width:none;padding:0}.scroll{overflow:visible}}
"""


def write(report: Report, target: Target) -> str:
    """One HTML document with a final newline."""
    return write_blocks(report.blocks(), f"cr-audit {report.command}")


def write_blocks(blocks: Sequence[Block], title: str) -> str:
    """Some blocks as a document of their own."""
    body = "\n".join(part for block in blocks for part in _block(block, 2))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n<footer>cr-audit {__version__}</footer>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    """One harmless line inside an element or an attribute."""
    return escape_markup(visible(text), quote=True)


def _words(words: Words) -> str:
    return "".join(
        _text(s.text) if s.tone == "plain" else f'<span class="t-{s.tone}">{_text(s.text)}</span>'
        for s in spans(words)
    )


def _block(block: Block, level: int) -> list[str]:
    match block:
        case Section():
            note = f' <span class="note">{_text(block.note)}</span>' if block.note else ""
            inside = [p for b in block.blocks for p in _block(b, level + 1)]
            head = f"<h{level}>{_text(block.title)}{note}</h{level}>"
            return ["<section>", head, *inside, "</section>"]
        case Header():
            return _header(block)
        case Answer():
            lines = "".join(f"<p>{_text(s)}</p>" for s in block.sentences)
            return [f'<div class="answer t-{block.tone}">{lines}</div>']
        case Verdict():
            tone, head = ("good", "PASS") if block.passed else ("error", "FAIL")
            reason = f'<p><strong class="t-{tone}">{head}</strong> {_text(block.reason)}</p>'
            note = f'<p class="note">{_text(block.note)}</p>'
            return [f'<div class="answer t-{tone}">{reason}{note}</div>']
        case Prose():
            tone = "" if block.tone == "plain" else f' class="t-{block.tone}"'
            return [f"<p{tone}>{_words(line)}</p>" for line in block.lines]
        case Steps():
            pairs = "".join(
                f"<dt><code>{_text(c)}</code></dt><dd>{_text(what)}</dd>" for c, what in block.steps
            )
            return [f'<dl class="steps">{pairs}</dl>']
        case Table():
            return _table(block)
        case Diff():
            return _diff(block)
        case SlopeChart():
            if len(block.slopes) < 2:
                return []
            return _figure(slope_svg(block, block.title, block.note), block.note)
        case Chart() | Cells():
            return _figure(chart_svg(block), block.description)


def _header(block: Header) -> list[str]:
    files = ", ".join(f'<span class="t-name">{_text(f)}</span>' for f in block.files)
    against = ", ".join(f'<span class="t-name">{_text(f)}</span>' for f in block.against)
    line = f"<h1>cr-audit {_text(block.command)} {files}{' → ' + against if against else ''}</h1>"
    return [line, *([f'<p class="note">{_text(block.note)}</p>'] if block.note else [])]


def _figure(svg: str, caption: str) -> list[str]:
    return [f"<figure>{svg.rstrip()}<figcaption>{_text(caption)}</figcaption></figure>"]


def _table(block: Table) -> list[str]:
    shown = min(block.n, MAX_ROWS)
    caption = f"<caption>{_text(block.caption)}</caption>" if block.caption else ""
    head = "".join(f'<th scope="col"{_class(c)}>{_text(c.title)}</th>' for c in block.columns)
    rows = []
    for i in range(shown):
        cells = zip(block.columns, block.row(i), strict=True)
        rows.append("<tr>" + "".join(_cell(column, cell) for column, cell in cells) + "</tr>")
    out = [
        f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>',
        "<tbody>",
        *rows,
        "</tbody></table></div>",
    ]
    if shown < block.n:
        out.append(f'<p class="note">{shown:,} of {block.n:,} shown</p>')
    if block.legend:
        out.append(f'<p class="note">{_words(block.legend)}</p>')
    return out


def _class(column: Column) -> str:
    kinds = {"count": "n", "number": "n", "id": "id", "place": "place"}
    return f' class="{kinds[column.kind]}"' if column.kind in kinds else ""


def _cell(column: Column, cell: Cell) -> str:
    parts = "".join(
        _text(shorten(s.text, TEXT))
        if s.tone == "plain"
        else f'<span class="t-{s.tone}">{_text(shorten(s.text, TEXT))}</span>'
        for s in spans(cell.text)
    )
    if cell.tone != "plain":
        parts = f'<span class="t-{cell.tone}">{parts}</span>'
    below = f'<span class="below">{_text(cell.below)}</span>' if cell.below else ""
    return f"<td{_class(column)}>{parts}{below}</td>"


def _diff(block: Diff) -> list[str]:
    sides = zip(block.titles, (block.left, block.right), ("del", "ins"), strict=True)
    columns = "".join(
        f"<div><h4>{_text(title)}</h4><p>{_runs(runs, tag)}</p></div>" for title, runs, tag in sides
    )
    return [f'<p class="note">{_text(block.caption)}</p>', f'<div class="diff">{columns}</div>']


def _runs(runs: Sequence[DiffRun], tag: str) -> str:
    out = []
    for run in runs:
        text = _text(run.text)
        if run.kind == "changed":
            text = f"<{tag}>{text}</{tag}>"
        elif run.kind == "skipped":
            text = f'<span class="note">{text}</span> '
        out.append(text)
    return "".join(out)
