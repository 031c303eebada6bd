"""What a run, or a network in a file, can be written as: one typed table of formats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, get_args

from ancestral.autoregressive.export import Exported, GGUFType, write_gguf, write_hugging_face
from ancestral.autoregressive.export.parts import stock_of
from ancestral.data.files import make_above
from ancestral.errors import ConfigError, RunError
from ancestral.networks.formats import network_suffix, network_suffixes, write_network
from ancestral.recipes.networks import open_network
from ancestral.recipes.runs import Run
from ancestral.settings import nearest
from ancestral.training.weights import count_parameters

Writer: TypeAlias = Callable[[str, Path], dict[str, Any]]
"""From a run folder or a file to a path that is free or may be replaced; it returns what ``--json``
tells beside source, format and path. What it refuses leaves the path as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFormat:
    """A format that ``ancestral export --to`` writes.

    Args:
        name: What to write after ``--to``.
        about: What it is and what it needs, one line.
        write: Writes it.
        dtypes: What writes it in other types of numbers, by their names after ``--dtype``.
    """

    name: str
    about: str
    write: Writer
    dtypes: Mapping[str, Writer] = field(default_factory=dict)


def _write_network(source: str, out: Path, *, name: str) -> dict[str, Any]:
    network = open_network(source)
    endings = network_suffixes(name)
    if network_suffix(out) not in endings:
        raise ConfigError(
            f"OUT must end in {' or '.join(endings)}, or that and .gz, for --to {name}, "
            f"got {str(out)!r}"
        )
    make_above(out)
    write_network(network, out)
    return {"nodes": len(network.nodes), "edges": len(network.graph.edges)}


def _write_gpt(source: str, out: Path, *, write: Callable[..., Exported]) -> dict[str, Any]:
    """Write a run of ``gpt``; tell what other programs take it for, and what to beware of."""
    run = Run.open(source)
    model = run.model().network
    stock_of(model)  # Tells what it is not, before what its data have not.
    written = write(model, run.tokenizer(), out, overwrite=True)
    told = {"class": written.name, "parameters": count_parameters(model)}
    return {**told, "notes": list(written.notes)}


_NETWORKS = {
    "bif": "BIF, the interchange format of Bayesian networks",
    "xmlbif": "XMLBIF 0.3",
    "uai": "UAI, without names of nodes and states",
    "net": "Hugin's NET",
}
_GGUF = {
    dtype: partial(_write_gpt, write=partial(write_gguf, dtype=dtype))
    for dtype in get_args(GGUFType)
}

_FORMATS = [
    ExportFormat(
        name=name,
        about=f"{about}; needs a run of bayes-net, or a network in a file",
        write=partial(_write_network, name=name),
    )
    for name, about in _NETWORKS.items()
] + [
    ExportFormat(
        name="hf",
        about="a folder that transformers, and so vLLM, loads; needs a run of gpt",
        write=partial(_write_gpt, write=write_hugging_face),
    ),
    ExportFormat(
        name="gguf",
        about="a file that llama.cpp loads; needs a run of gpt with tokenizer=bpe",
        write=_GGUF["f32"],
        dtypes=_GGUF,
    ),
]
EXPORTS: dict[str, ExportFormat] = {each.name: each for each in _FORMATS}
"""Every format that ``ancestral export`` knows."""


def export_run(
    source: str | Path,
    out: str | Path,
    *,
    to: str,
    dtype: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a run, or a network in a file, in another format.

    Args:
        source: A run folder; for the formats of networks also a network file or ``student``.
        out: Where to; the folders above it are made.
        to: Name of a format, see ``EXPORTS``.
        dtype: How numbers are stored, where the format has a choice; its own if None.
        overwrite: Replace what is at ``out``.

    Returns:
        ``{"source", "to", "out"}`` and what the format adds.

    Raises:
        ConfigError: If the format is unknown, or has no such ``dtype`` or ending of ``out``.
        RunError: If ``out`` exists and ``overwrite`` is false, or the source is not a run.
        CapabilityError: If the source is not what the format needs.
        DivergenceError: If weights are not finite.
        DataError: If a file cannot be read or written, or the format cannot say a name.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     export_run("student", f"{folder}/student.net", to="net")["nodes"]
        4
    """
    if to not in EXPORTS:
        raise ConfigError(f"unknown format {to!r} of --to{nearest(to, EXPORTS, otherwise=99)}")
    form, path = EXPORTS[to], Path(out)
    if dtype is not None and dtype not in form.dtypes:
        rule = f"one of {', '.join(form.dtypes)}" if form.dtypes else "left out"
        raise ConfigError(f"--dtype must be {rule} for --to {to}, got {dtype!r}")
    if path.exists() and not overwrite:
        raise RunError(f"{path} exists; choose another place, or give --overwrite")
    dtype = dtype or next(iter(form.dtypes), None)
    write = form.write if dtype is None else form.dtypes[dtype]
    words = {"source": str(source), "to": to, "out": str(path), **write(str(source), path)}
    return words if dtype is None else {**words, "dtype": dtype}
