"""Draw from a run, in the user's units; what is given by name, by number or from a file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given, HasLabelLaw, Samples, SamplesMeans, TakesStates
from ancestral.data.answers import Answer, examples_answer
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Examples, as_field
from ancestral.data.fields import LABEL, Category, Field, Image, X
from ancestral.data.sources import read
from ancestral.data.states import state_at
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.labels import draw_labels
from ancestral.networks.units import InDataUnits
from ancestral.recipes.completing import draw_rows, table_of
from ancestral.recipes.guiding import open_to_draw
from ancestral.recipes.runs import Run
from ancestral.settings import nearest, parse_pairs
from ancestral.training.order import seed_of

NUMBERS_AT_ONCE = 2_000_000
_USUAL = 16

Value: TypeAlias = str | float | Tensor | object
"""What is given: a state, a file of images, or a tensor, of states their positions; of a mixed
table any value, as the table has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be drawn, as it was written.

    Args:
        n: Number of draws; None for the usual one.
        given: What is held fixed, by name, or texts NAME=VALUE.
        means: Means of p(x | z) in place of draws.
        settings: How draws are made, where the model has a choice, in place of the run's own.
        writing: Options of language models, by name.
        edit: Images of which a part is known: a file or a folder.
        mask: An image that is bright where they are not known.
        seed: Of the draws.
        device: Where to compute.
    """

    n: int | None = None
    given: Mapping[str, Value] | Sequence[str] = ()
    means: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)
    writing: Mapping[str, Any] = field(default_factory=dict)
    edit: str | None = None
    mask: str | None = None
    seed: int = 0
    device: str = "cpu"


def draw_examples(run: Run, asked: Asked) -> Answer:
    """Return examples drawn from a run; raises as :func:`sample_run`."""
    for name in asked.writing:
        option, kind = "--" + name.replace("_", "-"), run.record.data.kind
        raise CapabilityError(f"{option} is of language models, {run.folder} models {kind}")
    if asked.edit is not None or asked.mask is not None:
        raise CapabilityError(f"--edit is of images, {run.folder} models {run.record.data.kind}")
    x, what = draw_table(run, asked)
    facts = {"n": len(x), "means": asked.means}
    return examples_answer(x, what, facts, beside=run.folder / "samples")


def draw_table(run: Run, asked: Asked) -> tuple[Tensor, Any]:
    """Return draws [n, *event], of a table with the labels of rows, and the field that they are.

    Raises as :func:`sample_run`.
    """
    found, data = _drawn(run, asked), run.record.data
    x, what = found.x, data.field
    if LABEL in found.given and isinstance(what, Vector):
        name = data.loading.label or LABEL
        label = Column(name=name, type="category", states=data.labels)
        what = replace(what, columns=(*what.columns, label))
        x = torch.cat([x, found.given[LABEL][:, None].to(x)], dim=1)
    return x, what


def sample_run(
    run: Run | str | Path,
    n: int | None,
    *,
    given: Mapping[str, Value] | Sequence[str] = (),
    means: bool = False,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Tensor:
    """Return n draws of a run in the user's units, [n, *event].

    Where the model has a law of the label, the label of each row is drawn first.

    Args:
        run: The run, or its folder.
        n: Number of draws, at least 1; None for 16, or one for each image given.
        given: ``{"label": "3"}``, of a conditional model; ``{"image": "photo.png"}``; of
            ``bayes-net`` the states of any nodes, of ``gmm`` the component ``z``; of a mixed table
            the values of any columns. Or the same as texts NAME=VALUE.
        means: Means of p(x | z) in place of draws.
        settings: How draws are made, where the model has a choice, in place of the run's own.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        RunError: If it is not a run or has no weights.
        CapabilityError: If the model cannot do what is asked.
        ConfigError: If n < 1, or a node, label or state is unknown.
        DataError: If a file of images cannot be read.
        InferenceError: If what is given is impossible.
    """
    asked = Asked(n=n, given=given, means=means, settings=settings or {}, seed=seed, device=device)
    return _drawn(Run.open(run), asked).x


def _drawn(run: Run, asked: Asked) -> Examples:
    """Return draws with the labels of rows, where these are known; as :func:`sample_run`."""
    n, means, device = asked.n, asked.means, asked.device
    if n is not None and n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    model, how = open_to_draw(run, asked.settings, device=device)
    if not model.can(Samples):
        raise CapabilityError(f"{run.record.model} does not sample: it gives p(label | x) alone")
    if means and not model.can(SamplesMeans):
        raise CapabilityError(f"{run.record.model} has no means of p(x | z); leave out --means")
    balance = getattr(how, "balance", None)
    labelled = LABEL in run.record.data.fields and LABEL in model.nodes
    mixed = run.record.data.kind == "mixed" and not labelled
    if mixed and (asked.given or balance is not None):
        given = _pairs(asked.given, run.record.data.columns)
        table_of(run, model)
        x = draw_rows(model, n or _USUAL, given, balance=balance, seed=asked.seed, device=device)
        return Examples(x)
    fixed = given_for(run, model, asked.given, device=device)
    events = {name: len(field.event_shape) for name, field in run.record.data.fields.items()}
    # Those that are one a draw, and not one for all.
    many = {name: value for name, value in fixed.items() if value.ndim > events.get(name, 0)}
    n = n or max(map(len, many.values()), default=_USUAL)
    if wrong := {name: len(value) for name, value in many.items() if len(value) != n}:
        name, count = next(iter(wrong.items()))
        raise ConfigError(f"{name} must hold one image, or {n}, one a draw, got {count}")
    generator = Generator(device).manual_seed(seed_of(asked.seed, "sample"))
    batch = max(1, NUMBERS_AT_ONCE // max(1, run.record.data.features))
    parts: list[Tensor] = []
    labels: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, n, batch):
            size = min(batch, n - start)
            held = {**fixed, **{name: v[start : start + size] for name, v in many.items()}}
            label = held.get(LABEL) if LABEL in events else None
            if label is None and (label := _row_labels(run, model, size, generator)) is not None:
                held |= {LABEL: label} if LABEL in model.nodes else {}
            x = model.sample(size, given=held or None, generator=generator, means=means)
            parts.append(x.cpu())
            labels += [] if label is None else [label.expand(size).cpu()]
    return Examples(torch.cat(parts), {LABEL: torch.cat(labels)} if labels else {})


def _row_labels(run: Run, model: InDataUnits, n: int, generator: Generator) -> Tensor | None:
    """Draw the labels of n rows by the model's law, [n]; None of images, or without such a law."""
    data = run.record.data
    if not isinstance(data.field, Vector) or not data.labels:
        return None
    if len(data.labels) == 1:
        return torch.zeros(n, dtype=torch.int64, device=generator.device)
    if LABEL not in model.nodes or not isinstance(model.network, HasLabelLaw):
        return None
    return draw_labels(model.network, n, generator)


def given_for(
    run: Run, model: InDataUnits, given: Mapping[str, Value] | Sequence[str], *, device: str
) -> Given:
    """Return what is given as tensors [*event], or [k, *event] where there are k > 1 of them.

    Args:
        run: Whose names.
        model: Its model.
        given: By the name of each field or node, the label also by that of its column: a label or a
            state by name, or by its number from 0 where no name is a number; a file or a folder of
            images; a tensor, of states of their numbers. Or texts NAME=VALUE.
        device: Where to put them.

    Raises:
        CapabilityError: If nothing can be given.
        ConfigError: If there is no such field, node, label or state.
        DataError: If a file of images cannot be read.
    """
    fields = {
        name: field
        for name, field in run.record.data.fields.items()
        if name != X and name in model.nodes
    }
    states = model.network.givens if isinstance(model.network, TakesStates) else {}
    own = run.record.data.loading.label  # What the label's column is called.
    given = {LABEL if name == own else name: value for name, value in _pairs(given, states).items()}
    if given and not fields and not states:
        return _without_fields(run, given)
    found = {}
    for name, value in given.items():
        if name not in fields and name not in states:
            _refuse(name, [*fields, *states])
        if isinstance(value, Tensor):
            found[name] = value.to(device)
        elif name in states:
            found[name] = torch.tensor(_state(name, value, states[name]), device=device)
        else:
            mine = fields[name]
            found[name] = _GIVEN[type(mine)](run, name, mine, value).to(device)
    return found


def _pairs(given: Mapping[str, Value] | Sequence[str], names: Iterable[str]) -> Mapping[str, Value]:
    if isinstance(given, Mapping):
        return given
    return parse_pairs(given, option="--given", names=names)


def _label(run: Run, name: str, mine: Category, value: object) -> Tensor:
    del run
    return torch.tensor(_state(name, value, mine.states))


def _images(run: Run, name: str, mine: Image, value: object) -> Tensor:
    """Return the images of a file or a folder as the run has that field."""
    size = None if mine.canvas else mine.width
    loading = replace(run.record.data.loading, size=size, field=None, label=None, masks=None)
    source, who = str(value), f"{run.folder} takes as {name}"
    examples, contents = read(source, loading, expected=mine)
    x = as_field(mine, contents.field, examples.x, who=who, source=source)
    return x[0] if len(x) == 1 else x


_GIVEN: dict[type[Field], Callable[[Run, str, Any, object], Tensor]] = {
    Category: _label,
    Image: _images,
}
"""How a value on the command line is read, by what the field is."""


def _without_fields(run: Run, given: Mapping[str, Value]) -> Given:
    """Take the only label there is, for p(x | label) is p(x) then; refuse anything else."""
    labels = run.record.data.labels
    if len(labels) == 1:
        for name, value in given.items():
            if name != LABEL:
                _refuse(name, [LABEL])
            _state(name, value, labels)
        return {}
    reason = (
        "image-vae and naive-bayes have one"
        if labels
        else "its data have none: set a column apart with --set label=COLUMN"
    )
    raise CapabilityError(f"{run.record.model} in {run.folder} has no label to be given; {reason}")


def _refuse(name: str, known: Sequence[str]) -> None:
    many = "nodes" if len(known) > 1 else "node"
    few = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    raise ConfigError(f"--given takes the {many} {few}, got {name!r}{nearest(name, known)}")


def _state(name: str, value: object, states: Sequence[str]) -> int:
    if (found := state_at(states, value)) is not None:
        return found
    kind = name if name == LABEL else f"state of {name}"
    raise ConfigError(f"unknown {kind} {value!r}{nearest(str(value), states, otherwise=30)}")
