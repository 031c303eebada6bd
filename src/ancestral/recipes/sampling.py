"""Draw from a run, in the user's units; what is given by name or by number."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given, Samples, SamplesMeans
from ancestral.classic import DiscreteNetwork, GaussianMixture
from ancestral.data.fields import LABEL
from ancestral.data.writing import write_samples
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.configs import BayesNetConfig
from ancestral.recipes.runs import Run
from ancestral.recipes.settings import nearest
from ancestral.training.order import seed_of

_NUMBERS_AT_ONCE = 2_000_000


def sample_run(
    run: Run | str | Path,
    n: int,
    *,
    given: Mapping[str, str | int] | None = None,
    means: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Tensor:
    """Return n draws of a run in the user's units, [n, *event].

    Args:
        run: The run, or its folder.
        n: Number of draws, at least 1.
        given: ``{"label": "3"}``, of a conditional model; of ``bayes-net`` the states of any nodes,
            of ``gmm`` the component ``z``.
        means: Means of p(x | z) in place of draws.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        RunError: If it is not a run or has no weights.
        CapabilityError: If the model cannot do what is asked.
        ConfigError: If n < 1, or a node, label or state is unknown.
        InferenceError: If what is given is impossible.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    units = run.model(device=device)
    if not units.can(Samples):
        raise CapabilityError(f"{run.record.model} does not sample: it gives p(label | x) alone")
    if means and not units.can(SamplesMeans):
        raise CapabilityError(f"{run.record.model} has no means of p(x | z); leave out --means")
    fixed = given_for(run, units, given or {}, device=device)
    generator = Generator(device).manual_seed(seed_of(seed, "sample"))
    batch = max(1, _NUMBERS_AT_ONCE // units_width(run))
    sizes = [min(batch, n - start) for start in range(0, n, batch)]
    with torch.no_grad():
        parts = [
            units.sample(size, given=fixed or None, generator=generator, means=means).cpu()
            for size in sizes
        ]
    return torch.cat(parts)


def given_for(
    run: Run, units: InDataUnits, given: Mapping[str, str | int], *, device: str
) -> Given:
    """Return what is given as tensors, each a scalar, for a model that can be conditioned on it.

    Args:
        run: Whose names.
        units: Its model.
        given: A label or a state by name, or by its number from 0, of each node.
        device: Where to put them.

    Raises:
        CapabilityError: If nothing can be given.
        ConfigError: If there is no such node, label or state.
    """
    nodes = can_be_given(run, units)
    if given and not nodes:
        labels = run.record.data.labels
        if len(labels) == 1:  # Whatever has the only label: p(x | label) is p(x).
            for name, value in given.items():
                _index_of(name, str(value), {"label": labels})
            return {}
        reason = (
            "image-vae and naive-bayes have one"
            if labels
            else "its data have none: set a column apart with --set label=COLUMN"
        )
        raise CapabilityError(
            f"{run.record.model} in {run.folder} has no label to be given; {reason}"
        )
    return {
        name: torch.tensor(_index_of(name, str(value), nodes), device=device)
        for name, value in given.items()
    }


def can_be_given(run: Run, units: InDataUnits) -> dict[str, tuple[str, ...]]:
    """Return the nodes of a model that can be given, and the names of their states."""
    model, data = units.model, run.record.data
    if isinstance(model, DiscreteNetwork):
        return {name: model.network.states(name) for name in (*model.names, *model.latent)}
    if isinstance(model, GaussianMixture):
        return {"z": tuple(map(str, range(model.components)))}
    return {"label": data.labels} if LABEL in units.nodes else {}


def names_of_nodes(run: Run) -> tuple[str, ...]:
    """Return the names, found out without its weights, that may stand before a ``=``."""
    config = run.record.config
    latent = config.latent if isinstance(config, BayesNetConfig) else ()
    return (*run.record.data.columns, *latent)


def named_rows(run: Run, x: Tensor) -> list[list[Any]]:
    """Return samples [N, *event] as lists, states by their names."""
    return run.record.data.field.rows(x)


def write_run_samples(run: Run, x: Tensor, path: Path) -> Path:
    """Write samples in the file format of the run's data; return where they are.

    Raises:
        ConfigError: If the ending does not fit the data.
        RunError: If it cannot be written.
    """
    return write_samples(x, path, run.record.data.field)


def units_width(run: Run) -> int:
    """Return how many numbers one example has."""
    return max(1, run.record.data.shape.features)


def _index_of(name: str, value: str, nodes: Mapping[str, tuple[str, ...]]) -> int:
    if name not in nodes:
        many = "nodes" if len(nodes) > 1 else "node"
        few = ", ".join(list(nodes)[:8]) + (", ..." if len(nodes) > 8 else "")
        raise ConfigError(f"--given takes the {many} {few}, got {name!r}{nearest(name, nodes)}")
    states = nodes[name]
    if value in states:
        return states.index(value)
    if value.isdecimal() and int(value) < len(states):
        return int(value)
    if not states:
        raise ConfigError(f"label must be left out, for the data have no labels, got {value!r}")
    kind = "label" if name == "label" else f"state of {name}"
    raise ConfigError(f"unknown {kind} {value!r}{nearest(value, states, otherwise=30)}")
