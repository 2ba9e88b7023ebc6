"""The weighting schemes, one file each, and their names: one line here adds one.

Nothing is imported before a scheme is used, so that ``--help`` can list them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.registry import Registry

if TYPE_CHECKING:
    from cr_audit.weights.scheme import Scheme

SCHEMES: Registry[Scheme] = Registry("weighting scheme")
SCHEMES.register("voronoi", "cr_audit.weights.schemes.voronoi:VORONOI")
SCHEMES.register("cluster", "cr_audit.weights.schemes.cluster:CLUSTER")
SCHEMES.register("sharing", "cr_audit.weights.schemes.sharing:SHARING")
SCHEMES.register("uniform", "cr_audit.weights.schemes.uniform:UNIFORM")
