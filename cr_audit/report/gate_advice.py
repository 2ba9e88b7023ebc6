"""What to do about a batch that fails: which rows, and the commands to look at them."""

from __future__ import annotations

import shlex
from itertools import groupby

from cr_audit.arrays import NotApplicable
from cr_audit.gate.finding import cluster_subject, rows_holding
from cr_audit.gate.growth import ClusterGain, copies_in
from cr_audit.report.gate import GateReport
from cr_audit.wording import plural, verb
from cr_audit.write.escape import visible

MAX_RANGES = 8
OF_ONE_CLUSTER = {"CR604", "CR605", "CR607"}
OF_ALL_COPIES = {"CR606", "CR608", "CR610"}


def advice(report: GateReport) -> list[str]:
    """Sentences, the most urgent first; unescaped. Empty for a batch that passes."""
    failing = [j.finding for j in report.verdict.of("failing")]
    if not failing:
        return []
    clusters = clusters_at_fault(report)
    out = [_about_copies(report, clusters)] if clusters else []
    for rule, text in {f.rule: f.advice for f in failing}.items():
        if rule not in OF_ONE_CLUSTER | OF_ALL_COPIES or not clusters:
            out.append(f"{rule}: {text}")
    return out


def acceptance(report: GateReport) -> str:
    """How to let a failing finding pass; empty for a batch that passes."""
    if report.verdict.passed:
        return ""
    policy = report.policy
    new = "" if policy.file == policy.source else " (cr-audit gate --init writes one)"
    return (
        "To accept a finding until a day, name its rule or fingerprint under"
        f" [[{policy.table}.waivers]] in {policy.file}{new}."
    )


def commands(report: GateReport) -> list[tuple[str, str]]:
    """(command, what it shows) for a batch that fails; file names are quoted and escaped."""
    failing = report.verdict.of("failing")
    if not failing:
        return []
    out = []
    if clusters_at_fault(report):
        files = [shlex.quote(visible(f)) for f in (*report.baseline_files, *report.batch_files)]
        option = ""
        if report.sources.get("radius", "default") != "default":
            option = f" --radius {report.effect.after.settings.radius:g}"
        out.append((f"cr-audit clones {' '.join(files)}{option}", "the copies, word by word"))
    rule = failing[0].finding.rule
    return [*out, (f"cr-audit explain {rule}", f"what {rule} means, and how it is computed")]


def clusters_at_fault(report: GateReport) -> tuple[ClusterGain, ...]:
    """The clusters that the failing findings are about."""
    growth = report.effect.growth
    failing = [j.finding for j in report.verdict.of("failing")]
    if isinstance(growth, NotApplicable):
        return ()
    if {f.rule for f in failing} & OF_ALL_COPIES:
        return growth.gains
    subjects = {f.subject for f in failing if f.rule in OF_ONE_CLUSTER}
    return tuple(g for g in growth.gains if cluster_subject(report.effect, g) in subjects)


def _about_copies(report: GateReport, clusters: tuple[ClusterGain, ...]) -> str:
    copies = copies_in(clusters)
    rows = rows_holding(report.effect, copies)
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
    named = "text and model name" if report.effect.after.dataset.models()[1] else "text"
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
