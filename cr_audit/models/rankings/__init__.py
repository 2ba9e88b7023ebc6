"""Win rates with and without clone-robust weights; which changes of rank are more than noise."""

from cr_audit.models.rankings.rates import TIE_TOLERANCE, WinRates, competition_ranks, win_rates
from cr_audit.models.rankings.shifts import RankShift, bootstrap_win_rates

__all__ = [
    "TIE_TOLERANCE",
    "RankShift",
    "WinRates",
    "bootstrap_win_rates",
    "competition_ranks",
    "win_rates",
]
