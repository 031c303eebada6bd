"""Examples that a user names, read as the model of a run takes them."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ancestral.data.dataset import Examples, as_field
from ancestral.data.fields import LABEL, Category, X
from ancestral.data.record import DataRecord
from ancestral.data.sources import read
from ancestral.data.splitting import Contents
from ancestral.errors import ConfigError, DataError, RunError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.runs import Run


def examples_for(run: Run, source: str) -> tuple[Examples, tuple[str, ...]]:
    """Read all examples of a source, in its order, for the model of a run.

    Returns:
        The examples, under the run's states; their labels, which need not be the run's, keep the
        numbers that they have in the names returned. A table need not have the label's column.

    Raises:
        RunError: If the run's model does not take them.
        DataError: If they cannot be read.
    """
    examples, contents = _read(source, run.record.data)
    values = {X: examples.x, **examples.given}
    for name, mine in run.record.data.fields.items():
        if name in values and name != LABEL:
            words = {"who": f"{run.folder} models", "source": source}
            values[name] = as_field(mine, contents.fields[name], values[name], **words)
    return Examples(values.pop(X), values), contents.labels


def _read(source: str, mine: DataRecord) -> tuple[Examples, Contents]:
    """Read a source; one that has only ``x`` has lost nothing that is needed."""
    loading = replace(mine.loading, size=mine.side)
    try:
        return read(source, loading, expected=mine.field)
    except DataError:
        bare = replace(loading, label=None, field=None)
        if bare == loading:
            raise
        with suppress(DataError):  # The first error is the one to tell.
            found = read(source, bare, expected=mine.field)
            if mine.field.difference(found[1].field, found[0].x) is None:
                return found
        raise


def conditioned(run: Run, units: InDataUnits, source: str) -> Examples:
    """Read all examples of a source, with what the model takes as given, numbered as in the run.

    Raises:
        RunError: If it takes something that the source does not have.
        DataError: If the source has a label that the run does not know.
    """
    examples, own = examples_for(run, source)
    given = dict(examples.given)
    for name, mine in run.record.data.fields.items():
        if name == X or name not in units.nodes:
            continue
        if name not in given:
            raise RunError(f"{run.folder} needs the {name} of each example, {source} has none")
        if name == LABEL:
            given[name] = mine.recode(given[name], Category(states=own), source)
    return Examples(examples.x, given)


def one_example(run: Run, units: InDataUnits, end: str) -> Examples:
    """Return a row of the held-out test split, or the only example of a file.

    Raises:
        ConfigError: If it is not in the test split.
        DataError: If the file cannot be read or holds several examples.
    """
    if Path(end).exists():
        examples = conditioned(run, units, end)
        if len(examples) != 1:
            raise DataError(f"{end} must hold one example, it holds {len(examples)}")
        return examples
    if not end.removeprefix("-").isdecimal():
        raise ConfigError(f"an end must be a row of the test split or a file, got {end!r}")
    test = run.data().test
    if not 0 <= (row := int(end)) < len(test):
        raise ConfigError(f"a row of the test split must be from 0 to {len(test) - 1}, got {row}")
    return test[row : row + 1]
