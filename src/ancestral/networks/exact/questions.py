"""One question at a time, without an object to keep: the network's programs are kept anyway."""

from collections.abc import Iterable

from torch import Tensor

from ancestral.networks.exact.evidence import Given
from ancestral.networks.exact.inference import Inference, Posterior
from ancestral.networks.tabular import TableNetwork


def query(
    network: TableNetwork, targets: Iterable[str], *, given: Given | None = None
) -> Posterior:
    """Return the posterior of each target given the evidence, exactly.

    Nodes that are neither ancestors of a target nor of the evidence are dropped first (they are
    barren). More kinds of questions: :class:`Inference`.

    Args:
        network: A network whose nodes are all tables.
        targets: Names of nodes.
        given: Evidence, node name -> state: its name, or its index if no name is a number.

    Raises:
        CapabilityError: If a node is not a table.
        InferenceError: If a name or state is unknown, the evidence is impossible, or the
            computation would not fit in memory.

    Example:
        >>> from ancestral.networks import student_network
        >>> query(student_network(), ["x3"], given={"x2": "1"}).probabilities["x3"]["1"]
        0.785611...
    """
    return Inference(network).query(targets, given=given)


def joint(network: TableNetwork, names: Iterable[str], *, given: Given | None = None) -> Tensor:
    """Return the joint posterior of several nodes, float64 [*states of each, in order].

    Raises:
        CapabilityError: If a node is not a table.
        InferenceError: If a name or state is unknown, a name comes twice, the evidence is
            impossible, or the computation would not fit in memory.

    Example:
        >>> from ancestral.networks import student_network
        >>> round(joint(student_network(), ["x2", "x3"])[1, 1].item(), 6)
        0.546
    """
    return Inference(network).joint(names, given=given)
