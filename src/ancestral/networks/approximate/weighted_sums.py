"""Sums over weighted draws, block by block, from which ratios and their errors follow."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ancestral.networks.approximate.estimate import Estimate, by_state


class WeightedSums:
    """Running sums of w, w^2, w f, w^2 f, w^2 f^2 for features f of each target.

    The features of a discrete target, whose ``states`` are given by name, are the indicators of its
    states, those of any other its value. Weights are kept relative to the largest so far, so that
    none overflows.
    """

    def __init__(self, states: Mapping[str, tuple[str, ...]]) -> None:
        self.states = states
        self.largest = -math.inf
        self.w = self.w2 = 0.0
        self.sums: dict[str, np.ndarray] = {}  # Rows: w f, w^2 f, w^2 f^2.
        self.shapes: dict[str, torch.Size] = {}

    @property
    def any(self) -> bool:
        """Whether any draw had a positive weight."""
        return self.w > 0

    def add(self, log_weights: Tensor, values: Mapping[str, Tensor]) -> None:
        """Add a block: log-weights [n], values of each target [n, *event]."""
        weights = log_weights.cpu().numpy()
        if (peak := float(weights.max())) == -math.inf:
            return
        if peak > self.largest:
            shrink = math.exp(self.largest - peak)
            self.w, self.w2 = self.w * shrink, self.w2 * shrink**2
            for sums in self.sums.values():
                sums *= np.array([shrink, shrink**2, shrink**2])[:, None]
            self.largest = peak
        w = np.exp(weights - self.largest)
        both = np.stack([w, w * w])
        self.w += float(both[0].sum())
        self.w2 += float(both[1].sum())
        for name, value in values.items():
            self.shapes[name] = value.shape[1:]
            found = self._features(name, value, both)
            self.sums[name] = self.sums[name] + found if name in self.sums else found

    def answer(self, method: str, draws: int) -> Estimate:
        """Return the estimate over ``draws`` draws."""
        size = self.w**2 / self.w2
        errors = {name: self._errors(name) for name in self.sums}
        ratios = {name: sums[0] / self.w for name, sums in self.sums.items()}
        others = [name for name in self.sums if name not in self.states]
        return Estimate(
            method=method,
            probabilities={n: by_state(states, ratios[n]) for n, states in self.states.items()},
            standard_errors={n: by_state(states, errors[n]) for n, states in self.states.items()},
            diagnostics={
                "draws": float(draws),
                "effective_sample_size": size,
                "log_evidence": self.largest + math.log(self.w / draws),
                "log_evidence_error": math.sqrt(max(1 / size - 1 / draws, 0.0)),
            },
            means={n: torch.from_numpy(ratios[n]).reshape(self.shapes[n]) for n in others},
            mean_errors={n: torch.from_numpy(errors[n]).reshape(self.shapes[n]) for n in others},
        )

    def _features(self, name: str, value: Tensor, weights: np.ndarray) -> np.ndarray:
        """Return the three sums, [3, F], of a block with weights w and w^2, [2, n]."""
        if name in self.states:
            count = len(self.states[name])
            index = value.long().cpu().numpy()
            w, w2 = (np.bincount(index, weights=row, minlength=count) for row in weights)
            return np.stack([w, w2, w2])
        flat = value.double().reshape(len(value), -1).cpu().numpy()
        return np.concatenate([weights @ flat, weights[1:] @ flat**2])

    def _errors(self, name: str) -> np.ndarray:
        """Return the standard errors of the ratios, [F]."""
        wf, w2f, w2f2 = self.sums[name]
        ratio = wf / self.w
        variance = np.maximum(w2f2 - 2 * ratio * w2f + ratio**2 * self.w2, 0.0) / self.w**2
        if name not in self.states:
            return np.sqrt(variance)
        # No draw, or every draw: an error of 0 would be a lie. Half a draw stands in.
        size = self.w**2 / self.w2
        half = 0.5 / (size + 1)
        certain = (w2f <= 0) | (w2f >= self.w2 * (1 - 1e-12))
        return np.sqrt(np.where(certain, half * (1 - half) / size, variance))
