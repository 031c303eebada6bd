"""The student network: four binary variables, the running example."""

from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Node, Table


def student_network() -> BayesianNetwork:
    """Return p(x1) p(x2 | x1) p(x3 | x1) p(x4 | x2, x3) over binary variables.

    x1: studies; x2: passes the exam; x3: does the homework well; x4: passes the course.

    Example:
        >>> student_network().graph.edges
        (('x1', 'x2'), ('x1', 'x3'), ('x2', 'x4'), ('x3', 'x4'))
    """
    return BayesianNetwork(
        [
            Node("x1", Table([0.10, 0.90])),
            Node("x2", Table([[0.80, 0.20], [0.25, 0.75]]), parents=("x1",)),
            Node("x3", Table([[0.70, 0.30], [0.20, 0.80]]), parents=("x1",)),
            Node(
                "x4",
                Table([[[0.95, 0.05], [0.40, 0.60]], [[0.35, 0.65], [0.01, 0.99]]]),
                parents=("x2", "x3"),
            ),
        ]
    )
