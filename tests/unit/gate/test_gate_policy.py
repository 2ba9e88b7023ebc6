"""Policies: three profiles, precise refusals, and a written file that says the same."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cr_audit.cli.explain import known_rules
from cr_audit.errors import InputError
from cr_audit.findings import Finding, Severity
from cr_audit.gate.policy import PROFILES, commented, parse_policy, shipped
from cr_audit.gate.rules import gate_rules
from cr_audit.gate.waivers import parse_waivers, use_of
from cr_audit.settings import SETTINGS, problem_with

WAIVER = {"rule": "CR604", "reason": "wanted", "owner": "us", "expires": date(2027, 1, 1)}


def refused(table: dict[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        parse_policy(table, "cr-audit.toml")
    assert error.value.exit_code == 3
    assert error.value.next_step
    return str(error.value)


def test_gate_rules_are_explained_like_all_others() -> None:
    rules = gate_rules()
    own = [r.id for r in rules if r.id.startswith("CR6")]
    assert own == [f"CR6{n:02d}" for n in range(1, len(own) + 1)]
    explained = {r.id: r for r in known_rules()}
    assert all(explained[r.id] is r for r in rules)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_written_file_is_the_profile(profile: str) -> None:
    text = commented(profile)
    parsed = parse_policy(tomllib.loads(text)["gate"], "cr-audit.toml")
    assert parsed == replace(shipped(profile), source="cr-audit.toml")
    assert max(len(line) for line in text.splitlines()) < 160


def test_profiles_are_ordered_by_strictness() -> None:
    order = [None, Severity.NOTE, Severity.WARNING, Severity.ERROR]
    lenient, default, strict = (shipped(p) for p in PROFILES)
    for rule in gate_rules():
        levels = [order.index(p.severities[rule.id]) for p in (lenient, default, strict)]
        assert levels == sorted(levels), rule.id
    assert lenient.confidence_level > default.confidence_level > strict.confidence_level
    assert lenient.max_unreadable > default.max_unreadable > strict.max_unreadable


def test_every_key_can_be_set() -> None:
    policy = parse_policy(
        {
            "profile": "strict",
            "fail-on": "error",
            "confidence-level": 0.9,
            "max-unreadable": 0.5,
            "unit": "model",
            "model": "lexical",
            "radius": 0.3,
            "rules": {"CR604": "error", "ranks-move": "off"},
            "thresholds": {"new-copies": 7, "cluster-gain": 0.5},
            "waivers": [WAIVER],
        },
        "here",
    )
    assert (policy.profile, policy.fail_on, policy.confidence_level) == ("strict", "error", 0.9)
    assert policy.settings == {"unit": "model", "model": "lexical", "radius": 0.3}
    assert policy.severities["CR604"] == Severity.ERROR
    assert policy.severities["CR611"] is None
    assert policy.severities["CR605"] == shipped("strict").severities["CR605"]
    assert (policy.thresholds.new_copies, policy.thresholds.cluster_gain) == (7, 0.5)
    assert policy.waivers[0].owner == "us"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"fail_on": "error"}, "did you mean fail-on?"),
        ({"confidence-levle": 0.9}, "did you mean confidence-level?"),
        ({"zzz": 1}, "known: confidence-level"),
        ({"profile": "strickt"}, "did you mean strict?"),
        ({"fail-on": "errors"}, "did you mean error?"),
        ({"confidence-level": 1.5}, "from 0.5 to 0.9999"),
        ({"confidence-level": True}, "must be a number"),
        ({"confidence-level": float("nan")}, "must be a number"),
        ({"unit": "prompt"}, "one of auto, response"),
        ({"model": 3}, "model must be a text"),
        ({"radius": "near"}, "radius must be a number"),
        ({"radius": 1.0}, "from 0 to 0.999"),
        ({"rules": {"clones-of-basline": "off"}}, "did you mean clones-of-baseline?"),
        ({"rules": {"CR699": "off"}}, "did you mean CR6"),
        ({"rules": {"CR604": "fatal"}}, "off, note, warning, error"),
        ({"rules": "off"}, "rules must be a table"),
        ({"thresholds": {"new-copy": 3}}, "did you mean new-copies?"),
        ({"thresholds": {"new-copies": 0}}, "from 1 on"),
        ({"thresholds": {"new-copies": 2.5}}, "whole number"),
        ({"thresholds": {"cluster-gain": 2}}, "from 0 to 1"),
        ({"waivers": "all"}, "[[gate.waivers]]"),
        ({"waivers": [{**WAIVER, "expiry": "2027"}]}, "did you mean expires?"),
        ({"waivers": [{"rule": "CR604"}]}, "reason is missing"),
        ({"waivers": [{k: v for k, v in WAIVER.items() if k != "rule"}]}, "rule or fingerprint"),
        ({"waivers": [{**WAIVER, "expires": "tomorrow"}]}, "2027-06-30"),
        ({"waivers": [{**WAIVER, "owner": " "}]}, "owner must be a text"),
        ({"waivers": [{**WAIVER, "rule": 604}]}, "rule must be a text"),
    ],
)
def test_refusals_name_the_way_out(table: dict[str, Any], says: str) -> None:
    message = refused(table)
    assert says in message
    assert "cr-audit.toml" in message


def test_waivers_match_by_rule_or_fingerprint() -> None:
    finding = Finding("CR604", Severity.WARNING, "m", "s")
    for pattern, hit in (
        ({"rule": "CR604"}, True),
        ({"rule": "cr6*"}, True),
        ({"rule": "clones-of-*"}, True),
        ({"rule": "CR605"}, False),
        ({"fingerprint": finding.fingerprint}, True),
        ({"fingerprint": finding.fingerprint[:4] + "*"}, True),
        ({"fingerprint": "0000*"}, False),
        ({"rule": "CR604", "fingerprint": "0000*"}, False),
    ):
        table = {k: v for k, v in WAIVER.items() if k != "rule"} | pattern
        (waiver,) = parse_waivers([table], "here")
        assert waiver.matches(finding) is hit, pattern
    (everything,) = parse_waivers([{**WAIVER, "rule": "*"}], "here")
    assert not everything.matches(Finding("CR616", Severity.WARNING, "m", "s"))
    (use,) = use_of((everything,), (finding, finding), date(2027, 1, 2))
    assert (use.n_matched, use.expired) == (2, True)


@pytest.mark.parametrize("value", [0.0, 0.55, 0.6, 0.999, 1.0, -0.1, 1, True, "0.4"])
def test_a_radius_is_judged_as_on_the_command_line(value: Any) -> None:
    """``[gate] radius = 0.6`` was refused where ``--radius 0.6`` was not."""
    if problem_with(SETTINGS["radius"], value) is None:
        assert parse_policy({"radius": value}, "here").settings == {"radius": value}
    else:
        assert "radius must be a number from 0 to 0.999" in refused({"radius": value})


def test_every_setting_that_may_stand_in_a_policy_does() -> None:
    text = commented()
    for setting in SETTINGS.values():
        assert (f"\n# {setting.key} = " in text) is setting.in_policy, setting.name
        if not setting.in_policy:
            assert "unknown key" in refused({setting.key: 1}) or setting.name == "confidence_level"
