"""Everything that can change a number in the report. Echoed there with each value's source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are the command line's; docs/methods.md says what decided each of them.

    unit : "auto", "response", "model" or "cluster"; model : the encoder ("none" skips vectors);
    weights : "voronoi", "cluster", "sharing" or "uniform"; space : of Voronoi cells;
    scope : "auto", "prompt" or "dataset"; radius : of near-clones, None = the clone test's default;
    precision : relative standard error of one weight to sample for; n_replicates, resample :
    bootstrap; confidence_level : of intervals and of flagged changes, in (0, 1).
    penalty : of rewards, a positive number, "auto" (cross-validation) or None, the reward model's
    default; reward : "tabular", "linear", "mlp" or "auto". Both act where rewards are fitted.
    """

    unit: str = "auto"
    model: str = "static"
    weights: str = "voronoi"
    space: str = "sphere"
    scope: str = "auto"
    radius: float | None = None
    precision: float = 0.1
    n_replicates: int = 1000
    resample: str = "auto"
    confidence_level: float = 0.9
    count_weighted: bool = False
    penalty: float | str | None = None
    reward: str = "auto"
    seed: int = 0
