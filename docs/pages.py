"""The pages of the documentation that the code writes: rules, settings, glossary, and all that is
in reference/: commands, exit codes, JSON, Python.

python docs/pages.py        # writes them
python docs/pages.py check  # exit 1 where one is not current
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cr_audit.cli.explain import known_rules
from cr_audit.findings import Rule
from cr_audit.glossary import WORDS
from cr_audit.settings import SETTINGS

HERE = Path(__file__).resolve().parent


def rules_page(rules: Sequence[Rule]) -> str:
    """Every rule under the same headings, in the order of their numbers."""
    lines = [
        "# Rules",
        "",
        "What cr-audit can find. `cr-audit explain RULE` prints the same in the terminal. This",
        "page is written from the rules themselves (`docs/pages.py`); a test holds the two",
        "together. Numbers are stable: a rule that goes away leaves its number unused.",
        "1xx clones, 2xx rankings and rewards, 3xx comparisons, 4xx rows, 5xx the estimate itself,",
        "6xx a batch (gate), 7xx lists, 8xx sensitivity, 9xx kinds of answer.",
        "",
        "| rule | name | severity | finds |",
        "|---|---|---|---|",
    ]
    for r in rules:
        anchor = f"{r.id}-{r.name}".lower()
        lines.append(f"| [{r.id}](#{anchor}) | {r.name} | {r.severity} | {r.summary} |")
    for r in rules:
        lines += ["", f"## {r.id} {r.name}", "", f"**{r.severity}** · {r.summary}"]
        for title, body in (
            ("What it means", r.means),
            ("How it is computed", r.computed),
            ("What to do", r.advice),
            ("Source", r.source),
        ):
            if body:
                lines += ["", f"### {title}", "", body]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Every setting: flag, key of the settings file, default, what it may be."""
    lines = [
        "# Settings",
        "",
        "A flag counts before the settings file (`cr-audit.toml`, else `[tool.cr-audit]` in",
        "`pyproject.toml`, else the file after `--config`), and the file before the default. The",
        "JSON report says of each where its value came from. Those marked *gate* may also stand in",
        "the `[gate]` table, where the policy of a gate is ([gate.md](gate.md)). This page is",
        "written from `cr_audit/settings.py` (`docs/pages.py`).",
        "",
        "| flag | key | default | may be | says |",
        "|---|---|---|---|---|",
    ]
    for s in SETTINGS.values():
        if s.kind == "files":
            flag, may = "FILE…", "paths"
        else:
            flag = s.option.replace("/", "` / `")
            may = _may_be(s.name)
        gate = " *gate*" if s.in_policy else ""
        default = "" if s.default is None and not s.shown_default else s.default_in_words
        lines.append(f"| `{flag}` | `{s.key}`{gate} | {default} | {may} | {s.text} |")
    return "\n".join(lines) + "\n"


def _may_be(name: str) -> str:
    s = SETTINGS[name]
    match s.kind:
        case "choice":
            return ", ".join(s.values)
        case "number" | "whole":
            kind = "whole number" if s.kind == "whole" else "number"
            high = "" if s.high == float("inf") else f" to {s.high:g}"
            return f"{kind}, {s.low:g}{high or ' or more'}"
        case "count":
            return f"whole number, {s.low:g} to {s.high:g}, auto"
        case "penalty":
            return "number above 0, auto"
        case "switch":
            return "true, false"
        case "size":
            return "number with a unit, 64 MiB or more"
        case "map":
            return "roles and fields"
        case _:
            return "text"


def glossary_page() -> str:
    """Every word in a sentence or two."""
    lines = [
        "# Glossary",
        "",
        "The words of the reports. `cr-audit explain WORD` prints the same. This page is written",
        "from `cr_audit/glossary.py` (`docs/pages.py`).",
    ]
    for word, meaning in WORDS.items():
        lines += ["", f"**{word}**: {meaning}"]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its own options; settings, which most have, are on their own page."""
    from cr_audit.cli.app import commands
    from cr_audit.cli.build import signature_of

    lines = [
        "# Commands",
        "",
        "What `--help-all` of each command prints, less the [settings](../settings.md) of all.",
        "Every command also has `--format`, `-o FILE`, `--report FORMAT=FILE`, `--config FILE`,",
        "`--quiet`, `--debug` and `--no-cache`; `--help` shows what is asked for most. This page",
        "is written from the commands themselves (`docs/pages.py`).",
    ]
    for c in sorted(commands(), key=lambda c: c.name):
        lines += ["", f"## {c.name}", "", c.summary]
        if c.details:
            lines += ["", c.details]
        if c.examples:
            lines += ["", "```console", *(f"$ {e}" for e in c.examples), "```"]
        notes = []
        if c.fits:
            notes.append("takes the settings of a fit (`--penalty`, `--reward`)")
        if c.judged:
            notes.append("`--fail-on` makes findings exit 1")
        if c.plots:
            notes.append(f"`--plot` draws {c.plots}")
        if "limit" not in signature_of(c):
            notes.append("must see all rows: no `--limit`, no `--sample`")
        if notes:
            lines += ["", f"It {'; '.join(notes)}." if c.fits else f"{'; '.join(notes)}."]
        if c.options:
            lines += ["", "| option | default | says |", "|---|---|---|"]
            for o in c.options:
                flags = ", ".join(f"`{f}`" for f in o.typed)
                default = "" if o.default in (None, False) else f"`{o.default}`"
                says = o.help.replace("\\[", "[").replace("|", "\\|")
                if o.choices:
                    says += f" One of {', '.join(o.choices)}."
                lines.append(f"| {flags} | {default} | {says} |")
    return "\n".join(lines) + "\n"


def exit_codes_page() -> str:
    """The codes and what a script does about each."""
    from cr_audit import errors

    rows = (
        (errors.EXIT_OK, "pass", "go on"),
        (errors.EXIT_FAILED, "the gate failed, or `--fail-on` was met", "read the report"),
        (errors.EXIT_USAGE, "usage", "mend the command line or the settings file"),
        (
            errors.EXIT_INPUT,
            "input unreadable",
            "mend the data, at the file and line that are named",
        ),
        (errors.EXIT_COMPUTE, "could not compute", "follow the step that the message names"),
        (errors.EXIT_BUG, "a bug in cr-audit", "report it with what `--debug` prints"),
    )
    lines = [
        "# Exit codes",
        "",
        "The same for every command and format. Messages go to stderr: what, where (file, line,",
        "field), what stood there, and a next step. Written by `docs/pages.py`.",
        "",
        "| code | means | then |",
        "|---|---|---|",
        *(f"| {code} | {means} | {then} |" for code, means, then in rows),
    ]
    return "\n".join(lines) + "\n"


def json_page() -> str:
    """The keys of a document, and the fields of every record, from the schema itself."""
    from cr_audit.contract import schema

    whole = schema()
    lines = [
        "# JSON",
        "",
        "What `--format json` prints. Keys are added, never renamed. Nothing in it depends on the",
        "terminal, the time or the machine. What did not apply is an object with a `reason`. Rates",
        "are fractions in [0, 1]; counts start with `n_`. Written by docs/pages.py.",
        "",
        "## The document",
        "",
        "| key | always there | holds |",
        "|---|---|---|",
    ]
    required = set(whole.get("required", ()))
    for key, part in whole.get("properties", {}).items():
        lines.append(f"| `{key}` | {'yes' if key in required else ''} | {_kind_of(part)} |")
    for name, part in sorted(whole.get("$defs", {}).items()):
        lines += ["", f"## {name}"]
        if part.get("description"):
            lines += ["", " ".join(str(part["description"]).split())]
        fields = part.get("properties", {})
        if not fields:
            lines += ["", _kind_of(part)]
            continue
        needed = set(part.get("required", ()))
        lines += ["", "| key | always there | holds |", "|---|---|---|"]
        for key, field in fields.items():
            lines.append(f"| `{key}` | {'yes' if key in needed else ''} | {_kind_of(field)} |")
    return "\n".join(lines) + "\n"


def _kind_of(part: Any) -> str:
    """A schema's type in words, with links to the records it names."""
    if not isinstance(part, dict):
        return "anything" if part else "nothing"
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in part:
            return " or ".join(dict.fromkeys(_kind_of(p) for p in part[key]))
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{json.dumps(v)}`" for v in part["enum"])
    match part.get("type"):
        case "array":
            return f"list of {_kind_of(part.get('items', True))}"
        case "object":
            inner = part.get("additionalProperties")
            return f"object of {_kind_of(inner)}" if isinstance(inner, dict) else "object"
        case list() as kinds:
            return " or ".join(map(str, kinds))
        case None:
            return "anything"
        case kind:
            return str(kind)


def python_page() -> str:
    """The public names: signature and docstring of each."""
    import cr_audit

    lines = [
        "# Python",
        "",
        "The names of `import cr_audit`, with their docstrings; the examples of",
        "[the library by example](../api.md) run as tests. Written by `docs/pages.py`.",
    ]
    for name in sorted(n for n in cr_audit.__all__ if not n.startswith("_")):
        thing = getattr(cr_audit, name)
        lines += ["", f"## {name}", ""]
        if inspect.isclass(thing):
            lines += [*_docstring(thing)]
            for key, member in sorted(vars(thing).items()):
                if key.startswith("_") or not (callable(member) or isinstance(member, property)):
                    continue
                shown = "" if isinstance(member, property) else str(inspect.signature(member))
                lines += ["", f"### {name}.{key}", "", f"`{key}{shown}`", "", *_docstring(member)]
        else:
            lines += [f"`{name}{inspect.signature(thing)}`", "", *_docstring(thing)]
    return "\n".join(lines).rstrip() + "\n"


def _docstring(thing: Any) -> list[str]:
    text = inspect.getdoc(thing) or ""
    return text.replace("``", "`").splitlines()


PAGES: dict[str, Callable[[], str]] = {
    "rules.md": lambda: rules_page(known_rules()),
    "settings.md": settings_page,
    "glossary.md": glossary_page,
    "reference/commands.md": commands_page,
    "reference/exit_codes.md": exit_codes_page,
    "reference/json.md": json_page,
    "reference/python.md": python_page,
}


def main() -> int:
    """Write the pages, or say which are not current."""
    stale = 0
    for name, make in PAGES.items():
        path = HERE / name
        page = make()
        if len(sys.argv) > 1 and sys.argv[1] == "check":
            if not path.is_file() or path.read_text(encoding="utf-8") != page:
                print(f"{path}: not current; run: python docs/pages.py")
                stale = 1
        else:
            path.write_text(page, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
