"""Where the tests find real data, and how hard Hypothesis looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


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
