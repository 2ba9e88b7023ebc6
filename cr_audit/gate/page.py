"""The gate on a page: its three numbers."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Number, Tone
from cr_audit.gate.decision import Decision
from cr_audit.wording import plural


def numbers(decision: Decision) -> list[Number]:
    """Findings that fail, new copies, and pairs of the baseline that the batch turns round."""
    effect, verdict = decision.effect, decision.verdict
    n_fail, n_all = len(verdict.of("failing")), len(verdict.judged)
    tone: Tone = "error" if n_fail else "good"
    out = [Number(f"{n_fail:,}", f"of {plural(n_all, 'finding')} fail", "", tone)]
    copies = sum(int(g.new.size) for g in decision.gains)
    n_new = int(effect.is_new.sum())
    label = f"of {plural(n_new, 'new response')} join clone clusters"
    out.append(Number(f"{copies:,}", label, "", "warning" if copies else "good"))
    ranking = effect.ranking
    if not isinstance(ranking, NotApplicable):
        turned = ranking.effect.average.flips
        n = int(turned.beyond_noise.sum())
        label = f"pairs of {effect.unit.unit}s change their order beyond noise"
        out.append(Number(f"{n:,}", label, "", "error" if n else "good"))
    return out
