"""What mkdocs is told beyond mkdocs.yml: pages that stand elsewhere in the repository, and links.

Pages are written for a repository, where ``../benchmarks/README.md`` and ``../cr_audit/x.py`` lead
somewhere. On the site the first is a page, and the second is shown as a path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
}
"""Page of the repository -> page of the site; docs/index.md is the site's first page."""
LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that stand outside docs/."""
    from mkdocs.structure.files import File

    for source, name in ELSEWHERE.items():
        if source != "README.md":
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **rest: Any) -> str:
    """Links as they hold on the site."""
    name = page.file.src_uri
    back = {site: source for source, site in ELSEWHERE.items() if site != "index.md"}
    here = posixpath.dirname(back.get(name, f"docs/{name}"))
    folder = posixpath.dirname(name)
    return LINK.sub(lambda m: _link(m, here, folder), markdown)


def _link(match: re.Match[str], here: str, folder: str) -> str:
    picture, text, target = match.groups()
    path, sep, anchor = target.partition("#")
    if re.match(r"[a-z][a-z0-9+.-]*:", target) or not path:
        return match[0]
    place = posixpath.normpath(posixpath.join(here, path))
    inside = place.removeprefix("docs/") if place.startswith("docs/") else ELSEWHERE.get(place)
    if inside is None or inside.startswith("notebooks/") or inside.endswith(".py"):
        return text if f"`{place}`" == text or picture else f"{text} (`{place}`)"
    return f"{picture}[{text}]({posixpath.relpath(inside, folder or '.')}{sep}{anchor})"


SHIM = re.compile(r'<script src="https://unpkg\.com/iframe-worker/shim"></script>')


def on_post_page(output: str, page: Any, **rest: Any) -> str:
    """The search of pages opened as files, without the script that its plugin asks a host for."""
    up = "../" * page.file.dest_uri.count("/")
    return SHIM.sub(f'<script src="{up}site_worker.js"></script>', output)


def on_post_template(output: str, template_name: str, **rest: Any) -> str:
    """The page of what is not there. It may stand for an address of any depth, so its styles and
    scripts are asked for at the root of a server; what they would hide or name is so without them,
    where it is opened as a file."""
    output = SHIM.sub("", output)
    output = output.replace('<input class="md-toggle"', '<input hidden class="md-toggle"')
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')
