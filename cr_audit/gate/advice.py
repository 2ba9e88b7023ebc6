"""What to do about a batch that fails: which rows, and the commands to look at them."""

from __future__ import annotations

import shlex
from itertools import groupby

from cr_audit.findings import Finding
from cr_audit.gate.decision import Decision
from cr_audit.gate.growth import ClusterGain, copies_in
from cr_audit.gate.rules import BY_ID
from cr_audit.gate.subjects import cluster_subject, rows_holding
from cr_audit.wording import plural, verb

MAX_RANGES = 8


def advice(decision: Decision) -> list[str]:
    """Sentences, the most urgent first; unescaped. Empty for a batch that passes."""
    failing = _failing(decision)
    clusters = clusters_at_fault(decision)
    out = [_about_copies(decision, clusters)] if clusters else []
    for rule, text in {f.rule: f.advice for f in failing}.items():
        if not clusters or not BY_ID[rule].copies:
            out.append(f"{rule}: {text}")
    return out


def acceptance(decision: Decision) -> str:
    """How to let a failing finding pass; empty for a batch that passes."""
    if decision.verdict.passed:
        return ""
    policy = decision.policy
    new = "" if policy.file == policy.source else " (cr-audit gate --init writes one)"
    return (
        "To accept a finding until a day, name its rule or fingerprint under"
        f" [[{policy.table}.waivers]] in {policy.file}{new}."
    )


def commands(decision: Decision) -> list[tuple[str, str]]:
    """(command, what it shows) for a batch that fails; file names are quoted."""
    failing = _failing(decision)
    if not failing:
        return []
    out = []
    if clusters_at_fault(decision):
        files = (*decision.baseline_files, *decision.batch_files)
        names = [shlex.quote(f) for f in files]
        radius = decision.effect.after.settings.radius
        option = f" --radius {radius:g}" if decision.radius_chosen and radius is not None else ""
        out.append((f"cr-audit clones {' '.join(names)}{option}", "the copies, word by word"))
    rule = failing[0].rule
    return [*out, (f"cr-audit explain {rule}", f"what {rule} means, and how it is computed")]


def clusters_at_fault(decision: Decision) -> tuple[ClusterGain, ...]:
    """The clusters that the failing findings are about."""
    about = {f.rule: BY_ID[f.rule].copies for f in _failing(decision)}
    if "all" in about.values():
        return decision.gains
    subjects = {f.subject for f in _failing(decision) if about[f.rule] == "cluster"}
    if not subjects:
        return ()
    return tuple(g for g in decision.gains if cluster_subject(decision.effect, g) in subjects)


def _failing(decision: Decision) -> list[Finding]:
    return [j.finding for j in decision.verdict.of("failing")]


def _about_copies(decision: Decision, clusters: tuple[ClusterGain, ...]) -> str:
    copies = copies_in(clusters)
    rows = rows_holding(decision.effect, copies)
    files = [
        f"{file}: {_ranges([line for _, line in of_file])}"
        for file, of_file in groupby(rows, key=lambda row: row[0])
    ]
    shown = "; ".join(files[:3]) + ("; …" if len(files) > 3 else "")
    noun = plural(copies.size, "new copy", "new copies")
    hold = verb(len(rows), "holds", "hold")
    drop = f"Drop the {plural(len(rows), 'row')} that {hold} the {noun} ({shown})."
    # Under other prompts the same text is another response.
    if any(c.scope == "boilerplate" for c in clusters):
        return f"{drop} Then run the gate again."
    named = "text and model name" if decision.effect.after.dataset.models()[1] else "text"
    return (
        f"{drop} Or give each copy the {named} of the response it repeats, and drop rows that"
        " compare two copies of it. Then run the gate again."
    )


def _ranges(lines: list[int]) -> str:
    """1-4, 7, 9-12, and how many lines more there are."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    shown = [f"{a}" if a == b else f"{a}-{b}" for a, b in runs[:MAX_RANGES]]
    left = sum(b - a + 1 for a, b in runs[MAX_RANGES:])
    return ", ".join(shown) + (f" and {left:,} more, all in the JSON report" if left else "")
