"""Files of discrete networks: BIF, XMLBIF, UAI and Hugin's NET, read and written.

Read in this order: ``files`` (a format by the suffix), ``description`` (what all formats say,
checked once), ``bif``, ``net``, ``uai`` (over ``scanning``) and ``xmlbif``;
``evidence`` reads rows of states, ``file_graph`` a graph over the columns of a table.
"""

from ancestral.networks.formats.bif import format_bif, parse_bif, read_bif
from ancestral.networks.formats.evidence import read_evidence, states_by_name
from ancestral.networks.formats.file_graph import FileGraph, graph_of_file
from ancestral.networks.formats.files import (
    network_suffix,
    network_suffixes,
    read_network,
    write_network,
)
from ancestral.networks.formats.net import format_net, parse_net
from ancestral.networks.formats.uai import format_uai, parse_uai
from ancestral.networks.formats.xmlbif import format_xmlbif, parse_xmlbif

__all__ = [
    "FileGraph",
    "format_bif",
    "format_net",
    "format_uai",
    "format_xmlbif",
    "graph_of_file",
    "network_suffix",
    "network_suffixes",
    "parse_bif",
    "parse_net",
    "parse_uai",
    "parse_xmlbif",
    "read_bif",
    "read_evidence",
    "read_network",
    "states_by_name",
    "write_network",
]
