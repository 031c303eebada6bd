import numpy as np

from ancestral.classic.optimum import descend, polish

A = np.diag([1.0, 100.0, 1e-3])
B = np.array([1.0, -2.0, 3.0])


def quadratic(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float(0.5 * x @ A @ x - B @ x), A @ x - B


def test_the_minimum_of_a_quadratic() -> None:
    found = descend(quadratic, np.zeros(3), iterations=1000)
    np.testing.assert_allclose(found, np.linalg.solve(A, B), rtol=1e-4)
    sharp = polish(quadratic, lambda _: lambda v: A @ v, found)
    np.testing.assert_allclose(sharp, np.linalg.solve(A, B), rtol=1e-10)


def test_a_step_that_does_not_help_is_not_taken() -> None:
    start = np.ones(3)
    np.testing.assert_array_equal(polish(quadratic, lambda _: lambda v: 1e-9 * v, start), start)
