"""The policy of a gate: what is looked at, how strictly, and what fails. Parsed, never guessed.

A policy is a table, ``[gate]`` in cr-audit.toml or ``[tool.cr-audit.gate]`` in pyproject.toml, on
top of one of three profiles. Every key and value is checked; an unknown key names the nearest known
one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cr_audit.errors import InputError
from cr_audit.findings import Severity
from cr_audit.gate.boundaries import FAIL_ON
from cr_audit.gate.rules import GATE_RULES
from cr_audit.gate.waivers import Waiver, parse_waivers

PROFILES = ("lenient", "default", "strict")
UNITS = ("auto", "response", "model", "cluster")
_BY_NAME = {name: rule.id for rule in GATE_RULES for name in (rule.id, rule.name)}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of single rules; docs/gate.md says what each was measured on.

    unreadable_share : CR601 above it. contradiction_excess : CR602 above the baseline's own rate.
    repeated_share : CR603 above it. new_copies : CR606 and CR607 from so many copies on.
    cluster_gain : CR607 above this gain, from share of the
    baseline's to share of the batch's responses. win_rate_change : CR612 above it.
    dominant_share : CR614 and CR615 from it on.
    """

    unreadable_share: float = 0.0
    contradiction_excess: float = 0.05
    repeated_share: float = 0.05
    new_copies: int = 3
    cluster_gain: float = 0.05
    win_rate_change: float = 0.05
    dominant_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Policy:
    """severities : rule id -> severity, None where the rule is off. max_unreadable : the share of
    a batch's rows above which it is not judged at all (exit 3). settings : unit, model, radius as
    far as the policy names them. source : the file, or "default"."""

    profile: str = "default"
    fail_on: str = "error"
    confidence_level: float = 0.99
    max_unreadable: float = 0.05
    severities: Mapping[str, Severity | None] = field(
        default_factory=lambda: {rule.id: rule.severity for rule in GATE_RULES}
    )
    thresholds: Thresholds = field(default_factory=Thresholds)
    waivers: tuple[Waiver, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str = "default"

    @property
    def file(self) -> str:
        """The settings file that holds the policy, or would."""
        return self.source if self.source.endswith(".toml") else "cr-audit.toml"

    @property
    def table(self) -> str:
        """The policy's table in that file."""
        return "tool.cr-audit.gate" if Path(self.file).name == "pyproject.toml" else "gate"


def shipped(profile: str) -> Policy:
    """One of the three profiles."""
    base = Policy(profile=profile)
    severities = dict(base.severities)
    if profile == "lenient":
        for rule in ("clones-of-baseline", "repeats-baseline", "win-rates-move", "graph-weakens"):
            severities[_BY_NAME[rule]] = Severity.NOTE
        severities[_BY_NAME["contradicts-baseline"]] = Severity.WARNING
        return replace(
            base,
            confidence_level=0.999,
            max_unreadable=0.2,
            severities=severities,
            thresholds=Thresholds(
                unreadable_share=0.01, contradiction_excess=0.1, new_copies=5, cluster_gain=0.1
            ),
        )
    if profile == "strict":
        for rule in ("leader-moves", "clones-move-ranks"):
            severities[_BY_NAME[rule]] = Severity.ERROR
        severities[_BY_NAME["clones-within-batch"]] = Severity.WARNING
        return replace(
            base,
            fail_on="warning",
            confidence_level=0.95,
            max_unreadable=0.0,
            severities=severities,
            thresholds=Thresholds(
                contradiction_excess=0.0, new_copies=2, cluster_gain=0.0, win_rate_change=0.02
            ),
        )
    return base


def parse_policy(table: Mapping[str, Any], where: str) -> Policy:
    """The policy of one settings table. Raises InputError: the file, the key and a way out."""
    known = (
        "profile",
        "fail-on",
        "confidence-level",
        "max-unreadable",
        "rules",
        "thresholds",
        "waivers",
        "unit",
        "model",
        "radius",
    )
    _check_keys(table, known, f"{where} [gate]")
    profile = _choice(table, "profile", PROFILES, "default", where)
    base = shipped(profile)
    settings: dict[str, Any] = {}
    if "unit" in table:
        settings["unit"] = _choice(table, "unit", UNITS, "auto", where)
    if "model" in table:
        settings["model"] = _text(table["model"], "model", where)
    if "radius" in table:
        settings["radius"] = _number(table["radius"], "radius", 0.0, 0.55, where)
    return replace(
        base,
        fail_on=_choice(table, "fail-on", FAIL_ON, base.fail_on, where),
        confidence_level=_number(
            table.get("confidence-level", base.confidence_level),
            "confidence-level",
            0.5,
            0.9999,
            where,
        ),
        max_unreadable=_number(
            table.get("max-unreadable", base.max_unreadable), "max-unreadable", 0.0, 1.0, where
        ),
        severities=_severities(table.get("rules", {}), base.severities, where),
        thresholds=_thresholds(table.get("thresholds", {}), base.thresholds, where),
        waivers=parse_waivers(table.get("waivers", []), where),
        settings=settings,
        source=where,
    )


def rule_id(name: str, where: str) -> str:
    """A rule of the gate by its id or name."""
    key = name.upper() if name.upper() in _BY_NAME else name.lower()
    if key not in _BY_NAME:
        raise _unknown(name, tuple(_BY_NAME), f"{where} [gate.rules]", "rule")
    return _BY_NAME[key]


def _severities(
    table: Any, base: Mapping[str, Severity | None], where: str
) -> dict[str, Severity | None]:
    out = dict(base)
    levels = ("off", *(s.value for s in Severity))
    for name, value in _mapping(table, "rules", where).items():
        rule = rule_id(name, where)
        if value not in levels:
            raise _bad(
                f"rules.{name}",
                f"one of {', '.join(levels)}",
                value,
                where,
                difflib.get_close_matches(str(value), levels, n=1),
            )
        out[rule] = None if value == "off" else Severity(value)
    return out


def _thresholds(table: Any, base: Thresholds, where: str) -> Thresholds:
    given = _mapping(table, "thresholds", where)
    known = {f.name.replace("_", "-"): f.name for f in fields(Thresholds)}
    _check_keys(given, tuple(known), f"{where} [gate.thresholds]")
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = known[key]
        if name == "new_copies":
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise _bad(f"thresholds.{key}", "a whole number of at least 1", value, where)
            values[name] = value
        else:
            values[name] = _number(value, f"thresholds.{key}", 0.0, 1.0, where)
    return replace(base, **values)


def _mapping(value: Any, key: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _bad(key, "a table", value, where)
    return value


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise _unknown(key, known, where, "key")


def _unknown(name: str, known: tuple[str, ...], where: str, what: str) -> InputError:
    near = difflib.get_close_matches(name.replace("_", "-"), known, n=1, cutoff=0.5)
    return InputError(
        f"unknown-policy-{what}",
        f"unknown {what} {name!r}",
        where=where,
        next_step=f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}",
    )


def _bad(
    key: str, wanted: str, found: Any, where: str, near: list[str] | None = None
) -> InputError:
    return InputError(
        "bad-policy-value",
        f"{key} must be {wanted}",
        where=f"{where} [gate]",
        found=repr(found)[:200],
        next_step=f"did you mean {near[0]}?" if near else "mend the file",
    )


def _choice(
    table: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str, where: str
) -> str:
    value = table.get(key, default)
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, n=1)
        raise _bad(key, f"one of {', '.join(choices)}", value, where, near)
    return str(value)


def _text(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise _bad(key, "a text", value, where)
    return value


def _number(value: Any, key: str, low: float, high: float, where: str) -> float:
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not low <= value <= high:
        raise _bad(key, f"a number from {low:g} to {high:g}", value, where)
    return float(value)


def commented(profile: str = "default") -> str:
    """A policy file that says the same as the profile, every key explained."""
    policy = shipped(profile)
    head = (
        (f'profile = "{profile}"', "lenient, default or strict"),
        (f'fail-on = "{policy.fail_on}"', "never, note, warning or error"),
        (f"confidence-level = {policy.confidence_level:g}", "a change inside noise never fails"),
        (f"max-unreadable = {policy.max_unreadable:g}", "more unreadable rows than this: exit 3"),
        ('# unit = "auto"', "rank response, model or cluster"),
        ('# model = "static"', "the encoder"),
        ("# radius = 0.4", "text distance of near-clones"),
    )
    lines = [
        "# What `cr-audit gate` decides by. Every value is that of the profile; delete what you do",
        "# not change. `cr-audit explain RULE` says what a rule means.",
        "[gate]",
        *(f"{entry:<36} # {text}" for entry, text in head),
        "",
        "[gate.rules]                         # off, note, warning or error",
    ]
    for rule in GATE_RULES:
        severity = policy.severities[rule.id]
        entry = f'{rule.name} = "{severity.value if severity else "off"}"'
        lines.append(f"{entry:<36} # {rule.id}: {rule.summary}")
    lines += ["", "[gate.thresholds]"]
    meaning = {
        "unreadable_share": "CR601: share of the batch's rows, above it",
        "contradiction_excess": "CR602: above the baseline's own rate",
        "repeated_share": "CR603: share of the batch's judgements, above it",
        "new_copies": "CR606, CR607: from so many copies on",
        "cluster_gain": "CR607: share of the batch less that of the baseline, above it",
        "win_rate_change": "CR612: change of an average win rate, above it",
        "dominant_share": "CR614, CR615: from it on",
    }
    for name, text in meaning.items():
        entry = f"{name.replace('_', '-')} = {getattr(policy.thresholds, name):g}"
        lines.append(f"{entry:<36} # {text}")
    lines += [
        "",
        "# A finding that you accept: by rule or by fingerprint (globs work), and for how long.",
        "# [[gate.waivers]]",
        '# rule = "clones-of-baseline"         # or: fingerprint = "3f2a*"',
        '# reason = "translations of one answer, wanted"',
        '# owner = "data-team"',
        "# expires = 2027-06-30               # holds through this day",
    ]
    return "\n".join(lines) + "\n"
