"""Baum-Welch and Viterbi, 10 states, 50 symbols, 200 x 200: ours against hmmlearn (scaling)."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from hmmlearn.hmm import CategoricalHMM

from ancestral.classic import HMM, CategoricalEmissions
from benchmarks.harness import Result, compare

STATES, SYMBOLS, SEQUENCES, STEPS, SWEEPS = 10, 50, 200, 200, 10


def run() -> Iterator[Result]:
    """Yield both comparisons; refuse to time sides that do not give the same."""
    rng = np.random.default_rng(0)
    start = {
        "initial": rng.dirichlet(np.ones(STATES)),
        "transition": rng.dirichlet(np.ones(STATES), STATES),
        "emissions.probabilities": rng.dirichlet(np.ones(SYMBOLS), STATES),
    }
    parameters = {name: torch.from_numpy(value) for name, value in start.items()}
    model = HMM(
        CategoricalEmissions(STATES, symbols=SYMBOLS), tolerance=-math.inf, iterations=SWEEPS
    )
    model.load_state_dict(parameters)
    x = model.sample(SEQUENCES, length=STEPS, generator=torch.Generator().manual_seed(0))
    flat, lengths = x.reshape(-1, 1).numpy(), [STEPS] * SEQUENCES

    def ours() -> HMM:
        model.load_state_dict(parameters)
        return model.refine(x)

    def peer() -> CategoricalHMM:
        other = CategoricalHMM(
            STATES,
            n_features=SYMBOLS,
            n_iter=SWEEPS,
            tol=-math.inf,
            implementation="scaling",
            init_params="",
        )
        other.startprob_, other.transmat_, other.emissionprob_ = start.values()
        return other.fit(flat, lengths)

    ours()
    theirs = peer()
    found = (theirs.startprob_, theirs.transmat_, theirs.emissionprob_)
    apart = max(
        np.abs(value.numpy() - other).max()
        for value, other in zip(model.state_dict().values(), found, strict=True)
    )
    if not apart < 1e-10:
        raise RuntimeError(f"the parameters differ by {apart}")
    yield compare(
        "HMM Baum-Welch, 10 states, 50 symbols, 200 x 200, 10 sweeps",
        ours=ours,
        peer=("hmmlearn (scaling)", peer),
        bar=1.5,
        note=f"from the same start; parameters equal within {apart:.1g}",
    )
    model.load_state_dict(parameters)
    theirs.startprob_, theirs.transmat_, theirs.emissionprob_ = start.values()
    paths = model.most_likely_states(x).numpy(), theirs.decode(flat, lengths)[1].reshape(x.shape)
    one, two = (_log_joint(start, path, x.numpy()) for path in paths)
    if not np.abs(one - two).max() < 1e-9:  # Two paths may well be equally likely.
        raise RuntimeError(f"the paths differ by {np.abs(one - two).max()} nats")
    yield compare(
        "HMM Viterbi, same data",
        ours=lambda: model.most_likely_states(x),
        peer=("hmmlearn", lambda: theirs.decode(flat, lengths)),
        bar=1,
        calls=10,
        note="equal paths",
    )


def _log_joint(start: dict[str, np.ndarray], path: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return log p(states, symbols) of each sequence, [N], in nats."""
    initial, transition, emission = (np.log(table) for table in start.values())
    steps = transition[path[:, :-1], path[:, 1:]].sum(axis=1)
    return initial[path[:, 0]] + steps + emission[path, x].sum(axis=1)
