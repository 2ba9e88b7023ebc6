"""The simulations by name: what each shows and from where in the papers it comes."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.simulate.case_study import CaseStudy
from cr_audit.simulate.robustness import RobustnessRate
from cr_audit.simulate.table3 import Table3
from cr_audit.simulate.voronoi_figures import VoronoiFigures

Facts = Table3 | VoronoiFigures | RobustnessRate | CaseStudy


@dataclass(frozen=True, slots=True)
class Simulation:
    """also : other names that it answers to."""

    name: str
    source: str
    shows: str
    also: tuple[str, ...] = ()


CATALOGUE: tuple[Simulation, ...] = (
    Simulation(
        "clone-robust",
        "[CR] section 5, Figures 3 to 5",
        "descriptions of Paris with and without clones, under every scheme of weights; with"
        " --write, a data set in which near-copies flip the winner (Theorem 3.2)",
        also=("case-study",),
    ),
    Simulation(
        "table-3",
        "[CR] Tables 2 and 3",
        "copies of the weakest alternative change who wins; weights that share one vote do not",
    ),
    Simulation(
        "voronoi-figures",
        "[CR] Figures 1 and 2",
        "cells of three points and of a near-clone, exact and sampled",
    ),
    Simulation(
        "robustness-rate",
        "[CR] Theorems 3.2 and 4.2",
        "how far rewards move as a clone comes nearer, beside the certificate",
    ),
)
BY_NAME = {name: s for s in CATALOGUE for name in (s.name, *s.also)}
