"""The weighting schemes, one file each, and their names: one line here adds one.

Nothing is imported before a scheme is used, so that ``--help`` can list them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.registry import Registry

if TYPE_CHECKING:
    from cr_audit.weights.scheme import Scheme

RECOMMENDED = "sharing"
"""The weights of every command and every table where nobody chose. Voronoi weights (of [CR]) have
two faults on real data (benchmarks/README.md, "Case study" and "Schemes on real data"): they differ
between items that are no clones of anything, so that win rates and fits rest on fewer judgements
and predict worse; and they keep less of a region's mass where its items are multiplied.
``sharing`` with clones merged keeps more, and leaves data alone in which there is nothing to
correct."""
PAPER = "voronoi"
"""The weights of [CR], section 6, which are reported beside those that are used."""

SCHEMES: Registry[Scheme] = Registry("weighting scheme")
SCHEMES.register("voronoi", "cr_audit.weights.schemes.voronoi:VORONOI")
SCHEMES.register("cluster", "cr_audit.weights.schemes.cluster:CLUSTER")
SCHEMES.register("sharing", "cr_audit.weights.schemes.sharing:SHARING")
SCHEMES.register("kinds", "cr_audit.weights.schemes.kinds:KINDS")
SCHEMES.register("uniform", "cr_audit.weights.schemes.uniform:UNIFORM")
