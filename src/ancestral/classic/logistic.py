"""Logistic regression: the network x -> label with logits linear in x, fitted to the optimum."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical

from ancestral.capabilities import Given
from ancestral.classic.arguments import check_examples, check_weights, states_of
from ancestral.classic.optimum import Product, Vector, descend, polish
from ancestral.networks.arguments import check_number, check_whole, refuse_unknown
from ancestral.networks.dag import DAG


class LogisticRegression(nn.Module):
    """The conditional ``p(label | x) = Categorical(logits = W x + b)``, maximum a posteriori.

    It is fitted on the logits, to the optimum of a convex function: L-BFGS, then Newton steps.
    Two classes have one logit, the log-odds of the second; more have one each. The penalty is the
    prior ``Normal(0, 1 / penalty)`` on each weight; b has none. scikit-learn's C is 1 / penalty.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, sec. 4.3.

    Args:
        features: Number D of columns of x, at least 1.
        classes: Number of labels, at least 2.
        penalty: Weight of |W|^2 / 2 against the sum of -log p(label | x), at least 0. With 0 there
            is no optimum where a plane separates the labels; the fit then ends far out.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> x = torch.randn(60, 2)
        >>> model = LogisticRegression(2, 3).fit(x, given={"label": torch.arange(60) % 3})
        >>> model(x[:5]).probs.shape
        torch.Size([5, 3])
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, features: int, classes: int, *, penalty: float = 1.0) -> None:
        super().__init__()
        check_whole("features", features)
        check_whole("classes", classes, least=2)
        check_number("penalty", penalty)
        self.features, self.classes, self.penalty = features, classes, penalty
        logits = 1 if classes == 2 else classes
        self.register_buffer("weight", torch.zeros(logits, features, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(logits, dtype=torch.float64))

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the label under the input x."""
        return {"p": DAG({"label": ("x",)})}

    def forward(self, x: Tensor) -> Categorical:
        """Return p(label | x), batch shape [*B], for x [*B, D].

        Raises:
            ValueError: If x does not end in D.
        """
        if x.shape[-1:] != (self.features,):
            raise ValueError(f"x must end in {self.features} columns, got {list(x.shape)}")
        logits = x.to(self.weight) @ self.weight.T + self.bias
        if self.classes == 2:
            logits = torch.cat((torch.zeros_like(logits), logits), dim=-1)
        return Categorical(logits=logits, validate_args=False)

    def posterior(self, x: Tensor) -> Categorical:
        """Return p(label | x), as the call does: the name by which all classifiers are asked."""
        return self(x)

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        iterations: int = 1000,
        weights: Tensor | None = None,
    ) -> Self:
        """Set W and b to the mode of their posterior; return self.

        Args:
            x: [N, D]. Columns are centred and scaled inside, which changes the path and not the
                optimum.
            given: ``label``, [N], from 0.
            generator: Not used: nothing is drawn.
            iterations: Most steps.
            weights: How often each row counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If the shapes differ from these or a label is no class.
            DataError: If there is no row, or a value is not finite.
            CapabilityError: If anything but the label is given.
        """
        del generator
        check_examples(x, (self.features,))
        refuse_unknown(given, "logistic regression", ["label"])
        if "label" not in (given or {}):
            raise ValueError("given must have the label of each row, got none")
        label = states_of("label", (given or {})["label"], len(x), self.classes, given=False)
        check_whole("iterations", iterations)
        x = x.detach().to(self.weight)
        counts = check_weights(weights, x)
        share = counts / counts.sum()
        centre = share @ x
        variance = share @ (x - centre).square()
        # About the curvature of each column, the penalty's part and the examples', is made 1.
        scale = (variance + 10 * self.penalty / counts.sum()).sqrt()
        scale = torch.where(scale > 1e-12 * (1 + centre.abs()), scale, 1.0)
        penalty = self.penalty / counts.sum() / scale**2
        task = _Task((x - centre) / scale, label, len(self.bias), share, penalty)
        rough = 1e-4 if self.penalty else 1e-8
        found = descend(task.objective, np.zeros(task.size), iterations=iterations, tolerance=rough)
        if self.penalty:
            found = polish(task.objective, task.curvature, found)
        weight, bias = task.split(found)
        self.weight.copy_(weight / scale)
        bias = bias - self.weight @ centre
        # More than two logits may be shifted together: the ones that sum to 0 are kept.
        self.bias.copy_(bias if self.classes == 2 else bias - bias.mean())
        return self

    def extra_repr(self) -> str:
        """Tell the sizes and the penalty in ``repr``."""
        return f"features={self.features}, classes={self.classes}, penalty={self.penalty:g}"


class _Task:
    """The mean of -log p(label | x) plus the penalty, in scaled columns, and its derivatives."""

    def __init__(
        self, x: Tensor, label: Tensor, logits: int, share: Tensor, penalty: Tensor
    ) -> None:
        self.x, self.label, self.share = x, label, share[:, None]
        self.logits, self.penalty = logits, penalty
        self.size = logits * (x.shape[1] + 1)

    def split(self, point: Vector) -> tuple[Tensor, Tensor]:
        """Return the weights [L, D] and biases [L] in a vector."""
        both = torch.from_numpy(point).view(self.logits, -1).to(self.x)
        return both[:, :-1], both[:, -1]

    def objective(self, point: Vector) -> tuple[float, Vector]:
        """Return the value and the gradient."""
        weight, bias = self.split(point)
        logits = self._all(self.x @ weight.T + bias)
        log_p = logits.log_softmax(dim=1)
        value = -(self.share * log_p.gather(1, self.label[:, None])).sum()
        value = value + 0.5 * (self.penalty * weight.square()).sum()
        slope = log_p.exp()
        slope[torch.arange(len(slope)), self.label] -= 1
        return float(value), self._join(slope[:, -self.logits :], weight)

    def curvature(self, point: Vector) -> Product:
        """Return the function that multiplies by the second derivatives at a point."""
        weight, bias = self.split(point)
        p = self._all(self.x @ weight.T + bias).softmax(dim=1)[:, -self.logits :]

        def product(direction: Vector) -> Vector:
            across, up = self.split(np.ascontiguousarray(direction).ravel())
            change = p * (self.x @ across.T + up)
            return self._join(change - p * change.sum(dim=1, keepdim=True), across)

        return product

    def _all(self, logits: Tensor) -> Tensor:
        """Put the 0 of the first of two classes before its log-odds."""
        return nn.functional.pad(logits, (1, 0)) if self.logits == 1 else logits

    def _join(self, by_logit: Tensor, weight: Tensor) -> Vector:
        """Return [L, D + 1] as a vector: sums over examples, and the penalty's part."""
        by_logit = by_logit * self.share
        across = by_logit.T @ self.x + self.penalty * weight
        both = torch.cat((across, by_logit.sum(dim=0)[:, None]), dim=1)
        return both.flatten().cpu().numpy()
