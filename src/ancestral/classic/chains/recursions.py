"""Forward-backward and Viterbi over many sequences at once, scaled, and in log-space where needed.

Arrays are numpy, float64, with the states first: [K, T, n] for K states, T steps, n sequences. So
one step is one small matrix product, and the pair counts of a whole tile are one big one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LEAST_SCALE = 1e-30  # Below, rounding to zero of 1e-308 could be felt one step later.
_LEAST_TRANSITION = 1e-100  # Above, a state that underflows is refilled at the next step.
_MOST_FUTURE = 1e250  # What was lost to underflow, 1e-308, times this is still nothing.


@dataclass(frozen=True, slots=True)
class HiddenChain:
    """The hidden chain: ``initial`` [K] and ``transition`` [K, K], rows sum to 1."""

    initial: Array
    transition: Array


@dataclass(frozen=True, slots=True)
class Expectation:
    """The posterior of one tile.

    Args:
        log_prob: log p(x) of each sequence, nats, [n].
        states: p(z_t | x), [K, T, n]; 0 where a sequence has ended.
        pairs: Expected number of steps from state i to j, over all sequences, each as often as it
            counts, [K, K].
    """

    log_prob: Array
    states: Array
    pairs: Array


def forward(chain: HiddenChain, likelihood: Array) -> tuple[Array, Array]:
    """Return the filtered p(z_t | x_1..x_t) [K, T, n] and the scales p(x_t | x_1..x_t-1) [T, n].

    ``likelihood`` is p(x_t | z_t), [K, T, n]; 1 where nothing is observed.

    Source: Rabiner 1989, A tutorial on hidden Markov models, eq. 19-20 and 91-92.
    """
    alpha = np.empty_like(likelihood)
    scale = np.empty(likelihood.shape[1:])
    backwards = np.ascontiguousarray(chain.transition.T)
    emitted, steps = list(likelihood.swapaxes(0, 1)), list(alpha.swapaxes(0, 1))
    previous = steps[0]
    with np.errstate(all="ignore"):  # A scale of 0 is found by the caller.
        for now, factor, total in zip(steps, emitted, scale, strict=True):
            if now is previous:
                np.multiply(chain.initial[:, None], factor, out=now)
            else:
                np.matmul(backwards, previous, out=now)
                np.multiply(now, factor, out=now)
            np.add.reduce(now, axis=0, out=total)
            np.divide(now, total, out=now)
            previous = now
    return alpha, scale


def scaled_log_prob(
    chain: HiddenChain, likelihood: Array, active: NDArray[np.bool_]
) -> Array | None:
    """Return log p(x) [n] by the forward pass alone, or None where underflow could be felt."""
    if chain.transition.min() < _LEAST_TRANSITION:
        return None
    _, scale = forward(chain, likelihood)
    return _total(scale, active) if scale.min() > _LEAST_SCALE else None


def scaled_filter(chain: HiddenChain, likelihood: Array) -> Array | None:
    """Return p(z_t | x_1..x_t) [K, T, n], or None where underflow could be felt."""
    if chain.transition.min() < _LEAST_TRANSITION:
        return None
    alpha, scale = forward(chain, likelihood)
    return alpha if scale.min() > _LEAST_SCALE else None


def scaled_expectation(
    chain: HiddenChain, likelihood: Array, active: NDArray[np.bool_], counts: Array | None = None
) -> Expectation | None:
    """Return the posterior by the scaled recursions, or None where underflow could be felt.

    A filtered probability below 1e-308 becomes 0. It is missed only if the future asks for it, that
    is, if the scaled backward variable is huge there; this is looked at, so that the answer is
    either right to rounding or not given. ``likelihood``, as in :func:`forward`, is overwritten;
    ``active`` says whether a sequence has a step t, [T, n], ``counts`` how often each counts, [n].
    """
    alpha, scale = forward(chain, likelihood)
    if not scale.min() > _LEAST_SCALE:
        return None
    likelihood /= scale
    beta = np.empty_like(likelihood)
    futures, ahead = list(beta.swapaxes(0, 1)), list(likelihood.swapaxes(0, 1))
    futures[-1].fill(1)
    with np.errstate(all="ignore"):  # Infinity is found below.
        for t in range(len(futures) - 1, 0, -1):
            np.multiply(ahead[t], futures[t], out=ahead[t])
            np.matmul(chain.transition, ahead[t], out=futures[t - 1])
    if not beta.max() < _MOST_FUTURE:
        return None
    ragged = not active.all()
    if ragged:
        likelihood *= active
    if counts is not None:
        likelihood *= counts
    before, after = alpha[:, :-1], likelihood[:, 1:]
    pairs = _flat(before) @ _flat(after).T * chain.transition
    states = np.multiply(alpha, beta, out=beta)
    if ragged:
        states *= active
    return Expectation(_total(scale, active), states, pairs)


def log_forward(chain: HiddenChain, log_likelihood: Array) -> Array:
    """Return log p(z_t, x_1..x_t) [K, T, n]; no underflow at any length."""
    log_chain = _log(chain.transition)[:, :, None]
    alpha = np.empty_like(log_likelihood)
    alpha[:, 0] = _log(chain.initial)[:, None] + log_likelihood[:, 0]
    for t in range(1, alpha.shape[1]):
        alpha[:, t] = log_sum(alpha[:, t - 1, None, :] + log_chain) + log_likelihood[:, t]
    return alpha


def log_expectation(
    chain: HiddenChain,
    log_likelihood: Array,
    active: NDArray[np.bool_],
    counts: Array | None = None,
) -> Expectation:
    """Return the posterior by recursions in log-space; NaN for an impossible sequence.

    Arguments as in :func:`scaled_expectation`.
    """
    each = np.ones(active.shape[1]) if counts is None else counts
    log_chain = _log(chain.transition)[:, :, None]
    alpha = log_forward(chain, log_likelihood)
    log_prob = log_sum(alpha[:, -1])
    beta = np.zeros_like(alpha)
    pairs = np.zeros_like(chain.transition)
    with np.errstate(invalid="ignore"):
        for t in range(alpha.shape[1] - 1, 0, -1):
            ahead = log_chain + (log_likelihood[:, t] + beta[:, t])[None]
            beta[:, t - 1] = log_sum(ahead.swapaxes(0, 1))
            joint = np.exp(alpha[:, t - 1, None, :] + ahead - log_prob)[:, :, active[t]]
            pairs += joint / joint.sum(axis=(0, 1)) @ each[active[t]]
        states = np.exp(alpha + beta - log_prob)
        # Divided by the sum, 1 but for the rounding of a log as large as the sequence is long.
        states = np.where(active, states / states.sum(axis=0), 0.0)
    return Expectation(log_prob, states, pairs)


def viterbi(
    chain: HiddenChain, log_likelihood: Array, active: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Array]:
    """Return the most likely states [T, n] and their log joint density [n]; -1 after the end.

    No pointers are kept: the way back asks again which state led to the one that was chosen, which
    costs K comparisons a step in place of K^2. ``log_likelihood`` [K, T, n] is 0 where nothing is
    observed; ``active`` [T, n] has the longer sequences first.

    Source: Viterbi 1967; Rabiner 1989, eq. 30-35.
    """
    log_chain = _log(chain.transition)
    length, n = active.shape
    left = active.sum(axis=1).tolist()  # Sequences that still run at a step: the first so many.
    best = np.empty((length, len(log_chain), n))
    np.add(_log(chain.initial)[:, None], log_likelihood[:, 0], out=best[0])
    # torch adds along broadcast axes three times as fast as numpy; both see the same memory.
    scores = torch.empty((*log_chain.shape, n), dtype=torch.float64)
    spread, steps = torch.from_numpy(log_chain)[:, :, None], torch.from_numpy(best)[:, :, None]
    emitted, now_at, before_at = list(log_likelihood.swapaxes(0, 1)), list(best), steps.unbind()
    table = scores.numpy()
    for t in range(1, length):
        before, now, shown, m = before_at[t - 1], now_at[t], emitted[t], left[t]
        if m < n:  # Slices cost as much as the sums of a small step.
            before, now, shown = before[:, :, :m], now[:, :m], shown[:, :m]
        if m < scores.shape[2]:
            scores = scores[:, :, :m].contiguous()
            table = scores.numpy()
        torch.add(before, spread, out=scores)
        np.maximum.reduce(table, axis=0, out=now)
        np.add(now, shown, out=now)
    return _way_back(log_chain, np.ascontiguousarray(best.swapaxes(1, 2)), left)


def _way_back(log_chain: Array, best: Array, left: list[int]) -> tuple[NDArray[np.int64], Array]:
    """Return the states that lead to the best ends, [T, n], and the ends' scores, [n]."""
    length, n, _ = best.shape
    path, ends = np.full((length, n), -1), np.empty(n)
    arrivals = log_chain.T.copy()
    state = np.empty(0, dtype=np.int64)
    going = 0
    for t in range(length - 1, -1, -1):
        if going:
            came = arrivals.take(state, axis=0)  # [going, K]: from every state to the next one.
            came += best[t, :going]
            state = came.argmax(axis=1)
        if going < left[t]:  # These end here.
            last = best[t, going : left[t]]
            state = np.concatenate((state, last.argmax(axis=1)))
            ends[going : left[t]] = last.max(axis=1)
            going = left[t]
        path[t, :going] = state
    return path, ends


def log_sum(x: Array) -> Array:
    """Return log sum exp over the first axis; -inf where all is -inf."""
    top = x.max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    return _log(np.exp(x - top).sum(axis=0)) + top


def _total(scale: Array, active: NDArray[np.bool_]) -> Array:
    return np.log(scale, where=active, out=np.zeros_like(scale)).sum(axis=0)


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


def _log(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(x)
