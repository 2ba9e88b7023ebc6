"""Where the tests find real data, how hard Hypothesis looks, and which tests are slow.

``tests/slow.txt`` names the tests that ``make quick`` leaves out, one function a line, in the order
of their names. ``pytest --write-slow`` measures the processor time of every test that it runs, and
says anew which tests of their files are slow; ``tests/test_slow.py`` finds names that are gone.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

SLOW = Path(__file__).resolve().parent / "slow.txt"
SLOW_CASE, SLOW_TEST = 0.1, 0.3
"""Seconds of processor time from which one case, or all cases of one test, are slow."""
_MEASURED: dict[str, list[float]] = defaultdict(list)


def function_of(item: pytest.Item) -> str:
    """The test's name from the folder of the tests on, without the case and without the group that
    xdist writes behind it."""
    file, _, rest = item.nodeid.partition("::")
    return f"{file.removeprefix('tests/')}::{rest.partition('[')[0].partition('@')[0]}"


def slow_tests() -> list[str]:
    """What ``slow.txt`` names."""
    return SLOW.read_text().splitlines()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-slow", action="store_true", help="measure, and write tests/slow.txt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = set(slow_tests())
    for item in items:
        if function_of(item) in names:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = _processor_time()
    result = yield
    _MEASURED[function_of(item)].append(_processor_time() - before)
    return result


def _processor_time() -> float:
    """Of this process and of the children that have ended."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--write-slow") or session.testsfailed:
        return
    files = {name.partition("::")[0] for name in _MEASURED}
    kept = {name for name in slow_tests() if name.partition("::")[0] not in files}
    slow = {n for n, t in _MEASURED.items() if max(t) > SLOW_CASE or sum(t) > SLOW_TEST}
    SLOW.write_text("".join(f"{name}\n" for name in sorted(kept | slow)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it skips, saying so, where it is missing."""
    path = SHARED / "data"
    if not path.is_dir():
        pytest.skip(f"real data sets not found at {path}")
    return path


@pytest.fixture(scope="session")
def open_data() -> Path:
    """The sets of ``shared_data`` that are small and free enough to stand in the repository."""
    return Path(__file__).resolve().parent / "data"


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).resolve().parent / "golden"
