"""What both fits iterate with: conjugate gradients and a line search by halving.

scipy.sparse.linalg.cg is not used: it stops by a Euclidean norm, where the fits need the norm of
the moment system or of the preconditioner, knows one inner product, where the moment system is
self-adjoint in another, and adds with BLAS, whose threads change the last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from cr_audit.arrays import FloatArray

T = TypeVar("T")


def conjugate_gradients(
    image: Callable[[FloatArray], FloatArray],
    precondition: Callable[[FloatArray], FloatArray],
    dot: Callable[[FloatArray, FloatArray], float],
    rhs: FloatArray,
    *,
    done: Callable[[FloatArray, float], bool],
    limit: int,
) -> tuple[FloatArray, bool]:
    """x with A x = rhs as well as ``done`` asks, and whether it does.

    image : A v, positive definite and self-adjoint in ``dot``. precondition : M⁻¹ v, likewise.
    done : of the rest rhs - A x and its square in the norm of M⁻¹. limit : iterations. Where the
    curvature or that square is not positive (rounding, or a flat direction), x is what it was.
    """
    x = np.zeros_like(rhs)
    rest = rhs
    z = precondition(rest)
    direction = z
    rho = dot(rest, z)
    for iteration in range(limit + 1):
        if done(rest, rho):
            return x, True
        if iteration == limit or not rho > 0.0:
            break
        moved = image(direction)
        bend = dot(direction, moved)
        if not bend > 0.0:
            break
        alpha = rho / bend
        x = x + alpha * direction
        rest = rest - alpha * moved
        z = precondition(rest)
        new_rho = dot(rest, z)
        direction = z + (new_rho / rho) * direction
        rho = new_rho
    return x, False


def backtracked(attempt: Callable[[float], T | None], t: float, tries: int) -> T | None:
    """The first of ``attempt(t)``, ``attempt(t / 2)``, ... that is not None, if one is."""
    for _ in range(tries):
        found = attempt(t)
        if found is not None:
            return found
        t *= 0.5
    return None
