"""The policy of a gate: what is looked at, how strictly, and what fails. Parsed, never guessed.

A policy is a table, ``[gate]`` in cr-audit.toml or ``[tool.cr-audit.gate]`` in pyproject.toml, on
top of one of three profiles. Every key and value is checked; an unknown key names the nearest known
one. The keys come from three tables, each with kind, range and default: ``KEYS`` and ``LIMITS``
here, and the settings that may stand in a policy (``cr_audit.settings``), which are judged as on
the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cr_audit.errors import InputError
from cr_audit.findings import FAIL_ON, Severity
from cr_audit.gate.boundaries import PROFILES
from cr_audit.gate.rule import GateRule
from cr_audit.gate.rules import by_name, gate_rules
from cr_audit.gate.waivers import Waiver, parse_waivers
from cr_audit.settings import SETTINGS, Kind, Setting, problem_with


@dataclass(frozen=True, slots=True)
class Key(Setting):
    """A key of the policy. default : in the default profile; lenient, strict : in these."""

    lenient: Any = None
    strict: Any = None

    def in_profile(self, profile: str) -> Any:
        """The value in a shipped profile."""
        value = {"lenient": self.lenient, "strict": self.strict}.get(profile)
        return self.default if value is None else value


def _key(name: str, kind: Kind, default: Any, help_: str, **more: Any) -> Key:
    return Key(name, kind, default, help_, "Gate", "analysis", **more)


def _share(name: str, default: float, help_: str, **more: Any) -> Key:
    return _key(name, "number", default, help_, **{"low": 0.0, "high": 1.0, **more})


KEYS: dict[str, Key] = {
    k.name: k
    for k in (
        _key("profile", "choice", "default", "lenient, default or strict", choices=PROFILES),
        _key(
            "fail_on",
            "choice",
            "error",
            "never, note, warning or error",
            choices=FAIL_ON,
            strict="warning",
        ),
        _share(
            "confidence_level",
            0.99,
            "a change inside noise never fails",
            low=0.5,
            high=0.9999,
            lenient=0.999,
            strict=0.95,
        ),
        _share(
            "max_unreadable",
            0.05,
            "more unreadable rows than this: exit 3",
            lenient=0.2,
            strict=0.0,
        ),
    )
}
LIMITS: dict[str, Key] = {
    k.name: k
    for k in (
        _share("unreadable_share", 0.0, "share of the batch's rows, above it", lenient=0.01),
        _share(
            "contradiction_excess",
            0.05,
            "above the baseline's own rate",
            lenient=0.1,
            strict=0.0,
        ),
        _share("repeated_share", 0.05, "share of the batch's judgements, above it"),
        _key("new_copies", "whole", 3, "from so many copies on", low=1, lenient=5, strict=2),
        _share(
            "cluster_gain",
            0.05,
            "share of the batch less that of the baseline, above it",
            lenient=0.1,
            strict=0.0,
        ),
        _share("win_rate_change", 0.05, "change of an average win rate, above it", strict=0.02),
        _share("dominant_share", 0.5, "from it on"),
        _key("hidden_responses", "whole", 1, "from so many on", low=1, lenient=3),
        _key(
            "row_weight",
            "number",
            3.0,
            "times the baseline's heaviest row, or its mean, above it",
            low=1.0,
            lenient=10.0,
        ),
        _key(
            "leader_votes",
            "whole",
            0,
            "comparisons that may not turn the leader; 0: not looked at",
            low=0,
        ),
    )
}
"""Limits of single rules; docs/gate.md says what each was measured on."""
IN_POLICY: dict[str, Setting] = {s.name: s for s in SETTINGS.values() if s.in_policy}
"""Settings of the command line that a policy may set as well."""


def _limit(name: str) -> Any:
    return LIMITS[name].default


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The values of ``LIMITS``, by default those of the default profile."""

    unreadable_share: float = _limit("unreadable_share")
    contradiction_excess: float = _limit("contradiction_excess")
    repeated_share: float = _limit("repeated_share")
    new_copies: int = _limit("new_copies")
    cluster_gain: float = _limit("cluster_gain")
    win_rate_change: float = _limit("win_rate_change")
    dominant_share: float = _limit("dominant_share")
    hidden_responses: int = _limit("hidden_responses")
    row_weight: float = _limit("row_weight")
    leader_votes: int = _limit("leader_votes")


@dataclass(frozen=True, slots=True)
class Policy:
    """severities : rule id -> severity, None where the rule is off. max_unreadable : the share of
    a batch's rows above which it is not judged at all (exit 3). settings : those of ``IN_POLICY``
    that it names. source : the file, or "default"."""

    profile: str
    fail_on: str
    confidence_level: float
    max_unreadable: float
    severities: Mapping[str, Severity | None]
    thresholds: Thresholds
    waivers: tuple[Waiver, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str = "default"

    def severity(self, rule: GateRule) -> Severity | None:
        """How severe a finding of this rule is; None where the rule is off."""
        return self.severities.get(rule.id, rule.severity)

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
    return Policy(
        **{k.name: k.in_profile(profile) for k in KEYS.values()} | {"profile": profile},
        severities={rule.id: rule.in_profile(profile) for rule in gate_rules()},
        thresholds=Thresholds(**{k.name: k.in_profile(profile) for k in LIMITS.values()}),
    )


def parse_policy(table: Mapping[str, Any], where: str) -> Policy:
    """The policy of one settings table. Raises InputError: the file, the key and a way out."""
    own = {s.key: s for s in (*KEYS.values(), *IN_POLICY.values())}
    _check_keys(table, (*own, "rules", "thresholds", "waivers"), f"{where} [gate]")
    given = {s.name: _value(s, table[s.key], "", where) for s in own.values() if s.key in table}
    base = shipped(given.get("profile", KEYS["profile"].default))
    return replace(
        base,
        **{name: given[name] for name in KEYS if name in given},
        severities=_severities(table.get("rules", {}), base.severities, where),
        thresholds=_thresholds(table.get("thresholds", {}), base.thresholds, where),
        waivers=parse_waivers(table.get("waivers", []), where),
        settings={name: given[name] for name in IN_POLICY if name in given},
        source=where,
    )


def rule_id(name: str, where: str) -> str:
    """A rule of the gate by its id or name."""
    rule = by_name(name)
    if rule is None:
        known = tuple(key for r in gate_rules() for key in (r.id, r.name))
        raise _unknown(name, known, f"{where} [gate.rules]", "rule")
    return rule.id


def _severities(
    table: Any, base: Mapping[str, Severity | None], where: str
) -> dict[str, Severity | None]:
    out = dict(base)
    levels = ("off", *(s.value for s in Severity))
    for name, value in _mapping(table, "rules", where).items():
        rule = rule_id(name, where)
        if value not in levels:
            near = difflib.get_close_matches(str(value), levels, n=1)
            hint = f"did you mean {near[0]}?" if near else None
            raise _bad(f"rules.{name}", f"one of {', '.join(levels)}", value, where, hint)
        out[rule] = None if value == "off" else Severity(value)
    return out


def _thresholds(table: Any, base: Thresholds, where: str) -> Thresholds:
    given = _mapping(table, "thresholds", where)
    known = {limit.key: limit for limit in LIMITS.values()}
    _check_keys(given, tuple(known), f"{where} [gate.thresholds]")
    return replace(
        base,
        **{
            known[key].name: _value(known[key], value, "thresholds.", where)
            for key, value in given.items()
        },
    )


def _value(setting: Setting, value: Any, prefix: str, where: str) -> Any:
    """The value, where the key may have it; a whole number is as good as 0.0 or 1.0."""
    problem = problem_with(setting, value)
    if problem is not None:
        wanted, next_step = problem
        raise _bad(f"{prefix}{setting.key}", wanted, value, where, next_step)
    return float(value) if setting.kind == "number" else value


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


def _bad(key: str, wanted: str, found: Any, where: str, next_step: str | None = None) -> InputError:
    return InputError(
        "bad-policy-value",
        f"{key} must be {wanted}",
        where=f"{where} [gate]",
        found=repr(found)[:200],
        next_step=next_step or "mend the file",
    )


_ENTRY = 36
_EXAMPLES = {"radius": 0.4}
"""Of settings whose default is made elsewhere."""


def commented(profile: str = "default") -> str:
    """A policy file that says the same as the profile, every key explained."""
    policy, rules = shipped(profile), gate_rules()
    lines = [
        "# What `cr-audit gate` decides by. Every value is that of the profile; delete what you do",
        "# not change. `cr-audit explain RULE` says what a rule means.",
        "[gate]",
        *(_line(_entry(k, getattr(policy, k.name)), k.help) for k in KEYS.values()),
        *(
            _line(f"# {_entry(s, _EXAMPLES.get(s.name, s.default))}", s.help)
            for s in IN_POLICY.values()
        ),
        "",
        _line("[gate.rules]", "off, note, warning or error"),
    ]
    for rule in rules:
        severity = policy.severity(rule)
        entry = f'{rule.name} = "{severity.value if severity else "off"}"'
        lines.append(_line(entry, f"{rule.id}: {rule.summary}"))
    lines += ["", "[gate.thresholds]"]
    for f in fields(Thresholds):
        of = ", ".join(rule.id for rule in rules if f.name in rule.thresholds)
        limit = LIMITS[f.name]
        lines.append(
            _line(_entry(limit, getattr(policy.thresholds, f.name)), f"{of}: {limit.help}")
        )
    waivable = next(rule for rule in rules if rule.copies == "cluster")
    lines += [
        "",
        "# A finding that you accept: by rule or by fingerprint (globs work), and for how long.",
        "# [[gate.waivers]]",
        _line(f'# rule = "{waivable.name}"', 'or: fingerprint = "3f2a*"'),
        '# reason = "translations of one answer, wanted"',
        '# owner = "data-team"',
        _line("# expires = 2027-06-30", "holds through this day"),
    ]
    return "\n".join(lines) + "\n"


def _entry(setting: Setting, value: Any) -> str:
    return f'{setting.key} = "{value}"' if isinstance(value, str) else f"{setting.key} = {value:g}"


def _line(entry: str, text: str) -> str:
    return f"{entry:<{_ENTRY}} # {text}"
