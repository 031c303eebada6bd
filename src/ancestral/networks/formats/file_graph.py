"""The graph of a network in a file, in terms of the columns of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from ancestral.errors import ConfigError
from ancestral.networks.formats.files import read_network


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGraph:
    """A graph by positions.

    Args:
        edges: Positions, parent and child in turn: of columns, and after them of latent nodes.
        latent: Names of the nodes that are not columns.
        latent_states: Numbers of states of those.
    """

    edges: tuple[int, ...]
    latent: tuple[str, ...] = ()
    latent_states: tuple[int, ...] = ()


def graph_of_file(path: str, columns: Sequence[str], *, latent: bool = False) -> FileGraph:
    """Return the graph of a network in a file.

    Args:
        path: The file: bif, xmlbif, uai or net.
        columns: Names of the columns, nodes of the network, in any order.
        latent: Whether the network may have other nodes, too.

    Raises:
        ConfigError: If a column is no node, or a node is no column and may not be latent.
        DataError: If the file cannot be read.
    """
    network = read_network(path)
    nodes, rule = list(network.nodes), "structure must have the columns as its nodes"
    if strange := [name for name in columns if name not in network.nodes]:
        raise ConfigError(f"{rule}, {strange[0]!r}: the file has no such node")
    others = [name for name in nodes if name not in columns]
    if others and not latent:
        raise ConfigError(
            f"{rule}, {others[0]!r}: the table has no such column; --set missing=em takes such "
            "nodes as latent"
        )
    place = {name: index for index, name in enumerate([*columns, *others])}
    pairs = sorted((place[parent], place[child]) for parent, child in network.graph.edges)
    return FileGraph(
        edges=tuple(number for pair in pairs for number in pair),
        latent=tuple(others),
        latent_states=tuple(len(network.states(name)) for name in others),
    )
