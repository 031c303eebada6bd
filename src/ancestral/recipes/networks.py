"""Discrete networks by what the user calls them: a built-in name, a file, or a run folder."""

from pathlib import Path

from ancestral.errors import CapabilityError, DataError
from ancestral.networks import BayesianNetwork, Table, read_network, student_network
from ancestral.recipes.runs import Run
from ancestral.settings import nearest

BUILT_IN = {"student": student_network}
"""Networks that have a name."""


def open_network(source: str | Path) -> BayesianNetwork:
    """Return the network that a name, a file or a run folder stands for.

    Args:
        source: ``student``; a file (bif, xmlbif, uai or net, plain or .gz); or the folder of a run
            of ``bayes-net``.

    Raises:
        DataError: If there is nothing of that name, or the file cannot be read.
        RunError: If the folder is not a run or has no weights.
        CapabilityError: If the run is of another model.

    Example:
        >>> open_network("student").graph.names
        ('x1', 'x2', 'x3', 'x4')
    """
    path = Path(source)
    if str(source) in BUILT_IN:
        return BUILT_IN[str(source)]()
    if not path.exists():
        hint = nearest(str(source), BUILT_IN)
        raise DataError(f"no network {str(source)!r}: there is no such file or run{hint}")
    return _network_of(Run.open(path)) if path.is_dir() else read_network(path)


def _network_of(run: Run) -> BayesianNetwork:
    """Return the network of a run, with the names of the data's states."""
    network = getattr(run.model().network, "network", None)
    if not isinstance(network, BayesianNetwork) or not all(
        isinstance(node.conditional, Table) for node in network.nodes.values()
    ):
        raise CapabilityError(
            f"{run.folder} must be a run of bayes-net, a network of probability tables, "
            f"got one of {run.record.model}"
        )
    return network
