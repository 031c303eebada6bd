"""What a run, or a network in a file, can be written as: one typed table of formats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from ancestral.data.files import make_above
from ancestral.errors import ConfigError, RunError
from ancestral.networks.formats import network_suffix, network_suffixes, write_network
from ancestral.recipes.networks import open_network
from ancestral.recipes.text_exporting import export_gguf, export_hugging_face
from ancestral.settings import nearest

Writer: TypeAlias = Callable[[str, Path], dict[str, Any]]
"""From what the user wrote (a run folder, or a file) to a path that is free or may be replaced; it
makes the folders above. It returns what is to be told in ``--json`` beside source, format and path,
and refuses with an ``AncestralError`` what it cannot write: then the path stays as it is."""


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


def _of_networks(name: str, about: str) -> ExportFormat:
    """Return a format of network files."""
    needs = "needs a run of bayes-net, or a network in a file"
    return ExportFormat(
        name=name, about=f"{about}; {needs}", write=partial(_write_network, name=name)
    )


EXPORTS: dict[str, ExportFormat] = {
    each.name: each
    for each in (
        _of_networks("bif", "BIF, the interchange format of Bayesian networks"),
        _of_networks("xmlbif", "XMLBIF 0.3"),
        _of_networks("uai", "UAI, without names of nodes and states"),
        _of_networks("net", "Hugin's NET"),
        ExportFormat(
            name="hf",
            about="a folder that transformers, and so vLLM, loads; needs a run of gpt",
            write=export_hugging_face,
        ),
        ExportFormat(
            name="gguf",
            about="a file that llama.cpp loads; needs a run of gpt with tokenizer=bpe",
            write=partial(export_gguf, dtype="f32"),
            dtypes={
                "f32": partial(export_gguf, dtype="f32"),
                "f16": partial(export_gguf, dtype="f16"),
            },
        ),
    )
}
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
    write = form.write if dtype is None else form.dtypes[dtype]
    found = write(str(source), path)
    return {"source": str(source), "to": to, "out": str(path), **found}
