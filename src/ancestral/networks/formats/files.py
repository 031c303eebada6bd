"""Networks in files: the format is chosen by the suffix."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.formats.bif import format_bif, parse_bif
from ancestral.networks.formats.net import format_net, parse_net
from ancestral.networks.formats.text import read_bytes, read_text, write_text
from ancestral.networks.formats.uai import format_uai, parse_uai
from ancestral.networks.formats.xmlbif import format_xmlbif, parse_xmlbif


def read_network(path: str | Path) -> BayesianNetwork:
    """Read a discrete network; the suffix names the format.

    ``.bif`` is BIF, ``.xmlbif``, ``.bifxml`` and ``.xml`` are XMLBIF, ``.uai`` is UAI, ``.net`` is
    Hugin's NET. Each may be gzipped and end in ``.gz``.

    Args:
        path: The file.

    Raises:
        DataError: If the suffix is unknown, the file cannot be read, or it is malformed: then its
            line, what was expected and what was found are named.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from ancestral.networks import student_network
        >>> with TemporaryDirectory() as folder:
        ...     write_network(student_network(), f"{folder}/student.xmlbif.gz")
        ...     read_network(f"{folder}/student.xmlbif.gz").graph.names
        ('x1', 'x2', 'x3', 'x4')
    """
    return _format(path).read(path)


def write_network(network: BayesianNetwork, path: str | Path) -> None:
    """Write a network of tables; the suffix names the format as in :func:`read_network`.

    Numbers come back to the last bit. Names of nodes and states come back from every format but
    UAI, which has none: there nodes are numbered in topological order and states are 0, ..., k-1.

    Args:
        network: A network whose nodes are all tables.
        path: The file; an older one is replaced.

    Raises:
        CapabilityError: If a node is not a table.
        DataError: If the suffix is unknown, the file cannot be written, or the format cannot say
            a name (a double quote in BIF, a control character in XMLBIF).
    """
    write_text(_format(path).write(network), path)


@dataclass(frozen=True, slots=True)
class _Format:
    read: Callable[[str | Path], BayesianNetwork]
    write: Callable[[BayesianNetwork], str]


_BIF = _Format(lambda path: parse_bif(read_text(path), name=str(path)), format_bif)
_NET = _Format(lambda path: parse_net(read_text(path), name=str(path)), format_net)
_UAI = _Format(lambda path: parse_uai(read_text(path), name=str(path)), format_uai)
# Bytes: the first line of an XML file says how it is encoded.
_XML = _Format(lambda path: parse_xmlbif(read_bytes(path), name=str(path)), format_xmlbif)

_FORMATS = {
    ".bif": _BIF,
    ".xmlbif": _XML,
    ".bifxml": _XML,
    ".xml": _XML,
    ".uai": _UAI,
    ".net": _NET,
}


def network_suffix(path: str | Path) -> str:
    """Return the ending that names the format of a file, without ``.gz`` and in small letters.

    Example:
        >>> network_suffix("asia.BIF.gz")
        '.bif'
    """
    plain = Path(path)
    return (plain.with_suffix("") if plain.suffix.lower() == ".gz" else plain).suffix.lower()


def network_suffixes(name: str | None = None) -> tuple[str, ...]:
    """Return the endings of a format, which is named by one of its own; of all if None.

    Example:
        >>> network_suffixes("xmlbif")
        ('.xmlbif', '.bifxml', '.xml')
    """
    wanted = None if name is None else _FORMATS[f".{name}"]
    return tuple(suffix for suffix, form in _FORMATS.items() if wanted in (None, form))


def _format(path: str | Path) -> _Format:
    suffix = network_suffix(path)
    if suffix not in _FORMATS:
        raise DataError(
            f"{path} must end in one of {', '.join(_FORMATS)}, or that and .gz, got {suffix!r}"
        )
    return _FORMATS[suffix]
