"""Write requirements/: what the action installs, every file of every version by its digest.

    python tools/pins.py UV

UV is the program uv (pip install uv). The versions of constraints.txt hold; the rest is the newest
that fits. build.txt builds cr-audit and what comes as source, slim.txt is what cr-audit needs
where no transformer is asked for, workflows.txt looks at the workflows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cr_audit.slim import slim_requirements  # noqa: E402

BUILD = ["hatchling", "pybind11", "setuptools", "wheel", "numpy"]
"""Of cr-audit (hatchling) and hnswlib, which comes as source alone (the others)."""


WORKFLOWS = ["zizmor"]
"""What looks at our own workflows."""


def compiled(uv: str, wanted: list[str], out: Path, *constraints: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "wanted.in"
        given.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        subprocess.run(
            [
                *(uv, "pip", "compile", str(given), "-o", str(out), "--quiet", "--universal"),
                *("--python-version", "3.11", "--generate-hashes", "--no-annotate"),
                *("--custom-compile-command", "python tools/pins.py UV"),
                *(f"--constraints={c}" for c in constraints),
            ],
            check=True,
        )


def main() -> None:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    folder = ROOT / "requirements"
    folder.mkdir(exist_ok=True)
    pinned = ROOT / "constraints.txt"
    compiled(sys.argv[1], slim_requirements(needs), folder / "slim.txt", pinned)
    compiled(sys.argv[1], WORKFLOWS, folder / "workflows.txt")
    compiled(sys.argv[1], BUILD, folder / "build.txt", pinned, folder / "slim.txt")


if __name__ == "__main__":
    main()
