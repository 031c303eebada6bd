"""Finding the minimum of a smooth function of a few thousand variables, to the last digits."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

Vector: TypeAlias = NDArray[np.float64]
Objective: TypeAlias = Callable[[Vector], tuple[float, Vector]]
"""A point [P] -> the value and the gradient [P] there."""
Product: TypeAlias = Callable[[Vector], Vector]
"""A direction [P] -> the matrix of second derivatives times it, [P]."""


def descend(
    objective: Objective, start: Vector, *, iterations: int, tolerance: float = 1e-8
) -> Vector:
    """Return a local minimum, [P], by L-BFGS; it ends when no component of the gradient is larger.

    Source: Liu & Nocedal 1989, On the limited memory BFGS method.
    """
    options = {"maxiter": iterations, "maxfun": 20 * iterations, "gtol": tolerance, "ftol": 0.0}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x, dtype=np.float64)


def polish(
    objective: Objective,
    curvature: Callable[[Vector], Product],
    point: Vector,
    *,
    steps: int = 10,
) -> Vector:
    """Sharpen a minimum of a convex function by Newton steps, as long as the gradient falls.

    Near the minimum the value is lost in rounding, and the gradient still tells the way. A point is
    mapped by ``curvature`` to the product with the second derivatives there.
    """
    _, gradient = objective(point)
    for _ in range(steps):
        size = float(np.linalg.norm(gradient))
        if size == 0:
            break
        step, _ = cg(_matrix(curvature(point), len(point)), gradient, rtol=1e-6, maxiter=500)
        _, moved = objective(point - step)
        if not np.linalg.norm(moved) < 0.5 * size:
            break
        point, gradient = point - step, moved
    return point


def _matrix(product: Product, size: int) -> LinearOperator:
    made = LinearOperator((size, size), matvec=product, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    return made
