"""What a tile of sequences tells of its hidden states: scaled where that is exact, else by logs."""

import numpy as np
from numpy.typing import NDArray

from ancestral.classic.chains.emissions import Emissions
from ancestral.classic.chains.recursions import (
    Array,
    Expectation,
    HiddenChain,
    log_expectation,
    log_forward,
    log_sum,
    scaled_expectation,
    scaled_filter,
    scaled_log_prob,
    viterbi,
)
from ancestral.classic.chains.sequences import Tile
from ancestral.errors import InferenceError


def log_prob(chain: HiddenChain, emissions: Emissions, tile: Tile) -> Array:
    """Return log p(x) of each sequence, nats, [n]; -inf where it is impossible."""
    likelihood, top = emissions.likelihood(tile.x)
    found = scaled_log_prob(chain, likelihood, tile.active)
    if found is None:
        both = scaled_expectation(chain, likelihood, tile.active)
        found = None if both is None else both.log_prob
    if found is not None:
        return found + np.broadcast_to(top, tile.active.shape).sum(axis=0)
    return log_sum(log_forward(chain, emissions.log_likelihood(tile.x))[:, -1])


def expectation(chain: HiddenChain, emissions: Emissions, tile: Tile) -> Expectation:
    """Return the posterior of a tile.

    Raises:
        InferenceError: If a sequence is impossible.
    """
    likelihood, top = emissions.likelihood(tile.x)
    found = scaled_expectation(chain, likelihood, tile.active, tile.counts)
    if found is not None:
        tops = np.broadcast_to(top, tile.active.shape).sum(axis=0)
        return Expectation(found.log_prob + tops, found.states, found.pairs)
    log_likelihood = emissions.log_likelihood(tile.x)
    found = log_expectation(chain, log_likelihood, tile.active, tile.counts)
    _check_possible(found.log_prob[None], tile)
    return found


def filtered(chain: HiddenChain, emissions: Emissions, tile: Tile) -> Array:
    """Return p(z_t | x_1..x_t), [K, T, n]. Raises InferenceError if a sequence is impossible."""
    likelihood, _ = emissions.likelihood(tile.x)
    states = scaled_filter(chain, likelihood)
    if states is not None:
        return states
    joint = log_forward(chain, emissions.log_likelihood(tile.x))
    total = log_sum(joint)
    _check_possible(total, tile)
    return np.exp(joint - total)


def best_path(chain: HiddenChain, emissions: Emissions, tile: Tile) -> NDArray[np.int64]:
    """Return the most likely states, [T, n], -1 after a sequence's end.

    Raises InferenceError if a sequence is impossible.
    """
    path, score = viterbi(chain, emissions.log_likelihood(tile.x), tile.active)
    _check_possible(score[None], tile)
    return path


def _check_possible(scores: Array, tile: Tile) -> None:
    """Refuse sequences whose log-density, [..., n], is -inf somewhere."""
    impossible = np.isneginf(scores).any(axis=0)
    if impossible.any():
        row = int(tile.rows[impossible][0])
        raise InferenceError(f"the sequence in row {row} has probability 0 under the model")
