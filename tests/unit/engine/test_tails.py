"""The same numbers as scipy.stats gives, which takes long to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from cr_audit.engine import tails

X = np.array([-40.0, -3.0, -0.1, 0.0, 1e-9, 0.7, 2.5, 8.0, 38.0])
Q = np.array([0.0, 1e-300, 1e-12, 0.05, 0.5, 0.9, 1 - 1e-12, 1.0])


@pytest.mark.parametrize("name", ["sf", "ppf", "isf"])
def test_normal(name: str) -> None:
    at = X if name == "sf" else Q
    np.testing.assert_array_equal(
        getattr(tails.norm, name)(at), getattr(scipy.stats.norm, name)(at)
    )


@pytest.mark.parametrize("df", [0.7, 1.0, 3.5, 29.0, 1e4, 1e9])
@pytest.mark.parametrize("name", ["sf", "ppf", "isf"])
def test_student(name: str, df: float) -> None:
    at = X if name == "sf" else Q[1:-1]
    mine, theirs = getattr(tails.t, name)(at, df), getattr(scipy.stats.t, name)(at, df)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("df", [1, 2, 7, 500])
def test_chi_squared(df: int) -> None:
    at = np.abs(X) * df / 3
    np.testing.assert_allclose(tails.chi2.sf(at, df), scipy.stats.chi2.sf(at, df), rtol=1e-12)
    np.testing.assert_allclose(tails.chi2.ppf(Q[3:6], df), scipy.stats.chi2.ppf(Q[3:6], df))


def test_binomial() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(0, 3000, 5000)
    k, p = rng.integers(-1, n + 2), rng.choice([0.0, 1.0, 0.02, 0.5, 0.97], n.size)
    np.testing.assert_allclose(tails.binom.sf(k, n, p), scipy.stats.binom.sf(k, n, p), rtol=1e-12)
    assert isinstance(float(tails.binom.sf(2, 5, 0.3)), float)


def test_hypergeometric() -> None:
    rng = np.random.default_rng(4)
    total = rng.integers(1, 400, 3000)
    marked, drawn = rng.integers(0, total + 1), rng.integers(0, total + 1)
    k = rng.integers(-2, np.minimum(marked, drawn) + 2)
    mine = tails.hypergeom.sf(k, total, marked, drawn)
    np.testing.assert_allclose(
        mine, scipy.stats.hypergeom.sf(k, total, marked, drawn), rtol=1e-10, atol=1e-300
    )
    # Of many: a tail far out, and rows beside columns.
    far = tails.hypergeom.sf(3000, 100_000, 20_000, 10_000)
    assert far == pytest.approx(scipy.stats.hypergeom.sf(3000, 100_000, 20_000, 10_000), rel=1e-9)
    table = tails.hypergeom.sf(np.arange(4), 9, np.array([[3], [5]]), 4)
    assert table.shape == (2, 4)
    assert table[1, 2] == pytest.approx(5 * 4 / 126 * 2 + 5 / 126)  # 3 or 4 of 5 of 9, of 4 drawn


def test_a_scan_does_not_import_what_takes_long(tmp_path: Path) -> None:
    sample = Path(__file__).parents[3] / "sample_data" / "clean.jsonl"
    code = (
        "import sys; from cr_audit.cli.app import main; from contextlib import suppress\n"
        "sys.argv = ['cr-audit', 'scan', sys.argv[1], '-q', '-o', sys.argv[2]]\n"
        "with suppress(SystemExit): main()\n"
        "print([m for m in ('scipy.stats', 'torch', 'sentence_transformers', 'pandas')"
        " if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(sample), str(tmp_path / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert (tmp_path / "report.json").stat().st_size > 1000


def test_texts_and_options_left_out_make_no_validator() -> None:
    code = (
        "import sys; from cr_audit.cli.app import main; from contextlib import suppress\n"
        "sys.argv = ['cr-audit', 'scan', 'no such file', '--weights', 'sharing']\n"
        "with suppress(SystemExit): main()\n"
        "print('pydantic' in sys.modules, 'scipy.optimize' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "no such file" in done.stderr
    assert done.stdout.strip() == "False False"
