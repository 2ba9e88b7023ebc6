"""What cr-audit needs where no transformer is asked for: its dependencies but for the one that
brings torch.

    pip install --no-deps cr-audit
    python -I -m cr_audit.slim > slim.txt
    pip install --no-warn-conflicts -r slim.txt

Needs nothing but the standard library, so that it runs before its dependencies are there.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires

LEFT_OUT = frozenset({"sentence-transformers"})
"""Distributions that serve ``--model FOLDER`` or ``--model NAME`` alone, and bring torch."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def slim_requirements(given: list[str]) -> list[str]:
    """The requirements of a distribution, in order, without extras and without ``LEFT_OUT``."""
    out = []
    for line in given:
        name = _NAME.match(line)
        if name is None or re.search(r"\bextra\s*==", line):
            continue
        if re.sub(r"[-_.]+", "-", name[0]).lower() not in LEFT_OUT:
            out.append(line)
    return out


def main() -> int:
    """Print the requirements, one a line."""
    print("\n".join(slim_requirements(requires("cr-audit") or [])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
