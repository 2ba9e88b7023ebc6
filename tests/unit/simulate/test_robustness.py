"""The rate of Theorem 4.2 against the golden values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cr_audit.simulate.robustness import EXAMPLES, robustness_rate


def test_the_golden_shifts_slopes_and_bounds(golden: Path) -> None:
    cases = json.loads((golden / "robustness_rate.json").read_text())["cases"]
    facts = robustness_rate().examples
    assert len(facts) == len(cases) == 3
    for found, case in zip(facts, cases, strict=True):
        given, out = case["inputs"], case["outputs"]
        example = found.example
        assert [list(p) for p in example.points] == given["points"]
        assert (example.cloned, example.penalty) == (given["cloned_index"], given["lambda"])
        assert [list(s) for s in example.slopes] == given["linear_reward_by_type"]
        for row, expected in zip(found.rows, out["rows"], strict=True):
            assert row.epsilon == expected["eps"]
            assert row.weighted == pytest.approx(expected["weighted_max_abs_change"], abs=1e-8)
            assert row.standard == pytest.approx(expected["standard_max_abs_change"], abs=1e-8)
            bound = expected["bound_K_eps_over_4lam_plus_l1w_over_lam"]
            assert row.certificate == pytest.approx(bound, rel=1e-6)
            assert row.weighted <= row.certificate
        slope = out["loglog_slope_eps_1e-3_to_1e-6_weighted"]
        assert found.slope_weighted == pytest.approx(slope, abs=case["tol"]["slope_abs"])
        assert found.slope_standard == pytest.approx(0.0, abs=1e-3)
        # The golden limit is the shift at 1e-6; here the clone is exact.
        assert found.standard_limit == pytest.approx(out["standard_limit_change"], abs=1e-6)


def test_the_directions_have_unit_length() -> None:
    for example in EXAMPLES:
        assert sum(x * x for x in example.direction) == pytest.approx(1.0)
