"""What the checkout's own settings would have changed, where another branch's policy judges.

A batch comes with a branch, and a branch may bring a softer policy along. ``--policy-from`` judges
by the protected one; here the two are laid side by side, so that nobody merges the softer one
unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cr_audit.gate.policy import KEYS, LIMITS, Policy
from cr_audit.gate.rules import BY_ID

UNSET = "not set"
MAX_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One key: what judged, and what the checkout's own settings say."""

    key: str
    judged: str
    own: str


def policy_changes(
    judged: Policy,
    own: Policy,
    settings: Mapping[str, Any],
    own_settings: Mapping[str, Any],
) -> tuple[PolicyChange, ...]:
    """Every key of the policy and of the other settings in which the two differ."""
    return tuple(_changes(judged, own, settings, own_settings))


def carried_change(key: str, judged: bytes, path: Path) -> tuple[PolicyChange, ...]:
    """The change of a file that was read from the protected commit and stands in the checkout too
    (known findings, the ledger); none where the two are the same."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                own = file.read(MAX_BYTES + 1)
            said = UNSET if own == judged else _digest(own)
        else:
            said = "no plain file" if path.is_symlink() or path.exists() else "not there"
            own = b""
    except OSError as error:
        own, said = b"", f"cannot be read: {error.strerror}"
    if own == judged and said in (UNSET, "not there"):
        return ()
    return (PolicyChange(key, _digest(judged) if judged else "not there", said),)


def _digest(content: bytes) -> str:
    return f"{len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()[:12]}"


def _changes(
    judged: Policy, own: Policy, settings: Mapping[str, Any], own_settings: Mapping[str, Any]
) -> Iterator[PolicyChange]:
    for key in KEYS.values():
        yield from _differs(key.key, getattr(judged, key.name), getattr(own, key.name))
    for rule in sorted(judged.severities.keys() | own.severities.keys()):
        name = f"rules.{BY_ID[rule].name}" if rule in BY_ID else f"rules.{rule}"
        a, b = judged.severities.get(rule), own.severities.get(rule)
        yield from _differs(name, a.value if a else "off", b.value if b else "off")
    for f in fields(judged.thresholds):
        key_ = f"thresholds.{LIMITS[f.name].key}"
        yield from _differs(
            key_, getattr(judged.thresholds, f.name), getattr(own.thresholds, f.name)
        )
    for part, a_, b_ in (
        ("gate.", judged.settings, own.settings),
        ("", settings, own_settings),
    ):
        for name in sorted(a_.keys() | b_.keys()):
            key_ = part + name.replace("_", "-")
            yield from _differs(key_, a_.get(name, UNSET), b_.get(name, UNSET))
    for waiver in sorted(set(own.waivers) - set(judged.waivers), key=repr):
        yield PolicyChange(
            "waivers", UNSET, f"{waiver.pattern} through {waiver.expires.isoformat()}"
        )
    for waiver in sorted(set(judged.waivers) - set(own.waivers), key=repr):
        yield PolicyChange(
            "waivers", f"{waiver.pattern} through {waiver.expires.isoformat()}", UNSET
        )


def _differs(key: str, judged: Any, own: Any) -> Iterator[PolicyChange]:
    if judged != own:
        yield PolicyChange(key, str(judged)[:200], str(own)[:200])
