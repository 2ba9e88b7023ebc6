"""The same numbers as scipy.stats, without its import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy import stats

from cr_audit.distributions import chi2, norm, t

ROOT = Path(__file__).resolve().parents[2]
Q = np.concatenate(([1e-300, 1e-12, 0.5], np.linspace(1e-6, 1 - 1e-6, 997), [1 - 1e-15]))
X = np.concatenate(([0.0, -40.0, 40.0], np.linspace(-9, 9, 997)))
DF = np.array([0.5, 1.0, 2.0, 3.0, 7.5, 30.0, 999.0, 1e6, 1e9])[:, None]


def test_normal() -> None:
    assert np.array_equal(norm.sf(X), stats.norm.sf(X))
    assert np.array_equal(norm.ppf(Q), stats.norm.ppf(Q))
    assert np.array_equal(norm.isf(Q), stats.norm.isf(Q))


def test_student() -> None:
    assert np.array_equal(t.sf(X, DF), stats.t.sf(X, DF))
    assert np.array_equal(t.ppf(Q, DF), stats.t.ppf(Q, DF))
    assert np.array_equal(t.isf(Q, DF), stats.t.isf(Q, DF))


def test_chi_square() -> None:
    x = np.abs(X)
    assert np.array_equal(chi2.sf(x, DF), stats.chi2.sf(x, DF))
    assert np.array_equal(chi2.ppf(Q, DF), stats.chi2.ppf(Q, DF))


def test_a_scan_does_not_wait_for_what_it_does_not_need(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom cr_audit.cli.app import main\nsys.argv = ['cr-audit', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print({m for m in ('scipy.stats', 'torch', 'transformers',"
        " 'sentence_transformers', 'sknetwork', 'fsspec', 'huggingface_hub') if m in sys.modules},"
        " file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "scan", "sample_data/clone_robust.jsonl", "-q"],
        cwd=ROOT,
        env={**os.environ, "CR_AUDIT_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip().splitlines()[-1] == "set()"
