"""The pages of the documentation that the code writes: rules, settings, glossary.

python docs/pages.py        # writes them
python docs/pages.py check  # exit 1 where one is not current
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

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


PAGES: dict[str, Callable[[], str]] = {
    "rules.md": lambda: rules_page(known_rules()),
    "settings.md": settings_page,
    "glossary.md": glossary_page,
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
