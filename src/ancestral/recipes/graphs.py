"""Graphs from files, for models of tables."""

from collections.abc import Sequence

from ancestral.errors import ConfigError
from ancestral.networks.formats import read_network


def edges_of_file(path: str, columns: Sequence[str]) -> tuple[int, ...]:
    """Return the edges of a network in a file as positions of columns, parent and child in turn.

    Args:
        path: The file: bif, xmlbif, uai or net.
        columns: Names of the columns: the nodes of the network, in any order.

    Raises:
        ConfigError: If the nodes are not the columns.
        DataError: If the file cannot be read.
    """
    graph = read_network(path).graph
    if strange := sorted(set(columns) ^ set(graph.names)):
        where = (
            "the table has no such column" if strange[0] in graph else "the file has no such node"
        )
        raise ConfigError(f"structure must have the columns as its nodes, {strange[0]!r}: {where}")
    place = {name: index for index, name in enumerate(columns)}
    pairs = sorted((place[parent], place[child]) for parent, child in graph.edges)
    return tuple(number for pair in pairs for number in pair)
