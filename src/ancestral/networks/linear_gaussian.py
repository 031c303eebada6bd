"""Exact inference and learning in linear-Gaussian networks: every question is linear algebra.

A network whose nodes are all :class:`~ancestral.networks.LinearGaussian` is one Gaussian,
written as regressions. Everything here is computed in float64.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import LinearGaussian, Node


@dataclass(frozen=True, slots=True, eq=False)
class GaussianPosterior:
    """A Gaussian over named nodes, given evidence.

    Args:
        names: The T nodes, in the order of the axes.
        mean: Means, float64 [*B, T], where B is the batch of the evidence.
        covariance: Covariance, float64 [T, T]; it does not depend on the values of the evidence.
        log_evidence: Log-density of the evidence in nats, [*B]; 0 without evidence.
    """

    names: tuple[str, ...]
    mean: Tensor
    covariance: Tensor
    log_evidence: Tensor

    def marginal(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the mean [*B] and the standard deviation [] of one node."""
        if name not in self.names:
            raise InferenceError(f"no node {name!r} here; there is {', '.join(self.names)}")
        index = self.names.index(name)
        return self.mean[..., index], self.covariance[index, index].sqrt()


@torch.no_grad()
def gaussian_query(
    network: BayesianNetwork,
    targets: Sequence[str] | None = None,
    *,
    given: Mapping[str, Tensor | float] | None = None,
) -> GaussianPosterior:
    """Return the joint posterior of the targets given any evidence, exactly.

    Nodes that are neither ancestors of a target nor of the evidence are left out.

    Source: Koller & Friedman 2009, ch. 7, theorems 7.1-7.4.

    Args:
        network: A network whose nodes are all linear Gaussians.
        targets: Names of nodes that are not given; all of them if None.
        given: Values, one number or a batch [*B] each; batches must broadcast.

    Raises:
        CapabilityError: If a node is not a linear Gaussian, or there are inputs.
        InferenceError: If a name is unknown or both target and evidence, a value is not finite,
            batches do not broadcast, or the evidence has no density because its covariance is
            singular in float64.

    Example:
        >>> x = Node("x", LinearGaussian())
        >>> y = Node("y", LinearGaussian([1.0]), parents=("x",))
        >>> answer = gaussian_query(BayesianNetwork([x, y]), ["x"], given={"y": 2.0})
        >>> round(answer.mean.item(), 6), round(answer.covariance.item(), 6)
        (1.0, 0.5)
    """
    given = {name: _evidence(name, value) for name, value in (given or {}).items()}
    _check_names(network, targets or (), given)
    wanted = [n for n in network.nodes if n not in given] if targets is None else list(targets)
    roots = [*wanted, *given]
    relevant = network.graph.ancestors(roots) | set(roots) if roots else set()
    names = [name for name in network.nodes if name in relevant]
    mean, covariance = _joint(network, names)
    t = [names.index(name) for name in wanted]
    e = [names.index(name) for name in given]
    if not e:
        whole = covariance[t][:, t]
        return GaussianPosterior(tuple(wanted), mean[t], whole, mean.new_zeros(()))
    residual = torch.stack(_batched(given), dim=-1) - mean[e]
    factor, failed = torch.linalg.cholesky_ex(covariance[e][:, e])
    if bool(failed):
        raise InferenceError(
            f"the covariance of the evidence {', '.join(given)} is singular: one of them is a "
            "function of the others, to the precision of float64"
        )
    # L^-1 of the residual and of Cov(e, t): all that conditioning needs.
    flat = torch.linalg.solve_triangular(factor, residual.reshape(-1, len(e)).T, upper=False)
    across = torch.linalg.solve_triangular(factor, covariance[e][:, t], upper=False)
    shift = (flat.T @ across).reshape(*residual.shape[:-1], len(t))
    log_det = 2 * factor.diagonal().log().sum()
    distance = flat.square().sum(0).reshape(residual.shape[:-1])
    return GaussianPosterior(
        tuple(wanted),
        mean[t] + shift,
        covariance[t][:, t] - across.T @ across,
        -0.5 * (distance + log_det + len(e) * math.log(2 * math.pi)),
    )


@torch.no_grad()
def fit_linear_gaussian(
    parents: Mapping[str, Sequence[str]] | DAG | BayesianNetwork, columns: Mapping[str, Tensor]
) -> BayesianNetwork:
    """Return the linear-Gaussian network of highest likelihood: one least squares a node.

    Args:
        parents: The graph; of a network its graph is taken.
        columns: Values of every node, [N] each; further columns are ignored.

    Returns:
        A network with float64 parameters.

    Raises:
        ValueError: If a column is missing, not finite or of another length, or a node is a
            linear function of its parents: then its density has no maximum (with N rows, any
            node of N - 1 or more parents is).

    Example:
        >>> x = torch.linspace(-1, 1, 11, dtype=torch.float64)
        >>> noise = torch.tensor([0.1, -0.2, 0.1] * 3 + [0.0, 0.0], dtype=torch.float64)
        >>> fitted = fit_linear_gaussian({"y": ["x"]}, {"x": x, "y": 2 * x + 1 + noise})
        >>> gaussian_query(fitted, ["y"]).mean.round(decimals=6).tolist()
        [1.0]
    """
    dag = parents.graph if isinstance(parents, BayesianNetwork) else parents
    dag = dag if isinstance(dag, DAG) else DAG(dag)
    values = _columns(dag, columns)
    return BayesianNetwork([_least_squares(name, dag.parents(name), values) for name in dag.names])


def _joint(network: BayesianNetwork, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return mean [D] and covariance [D, D] of nodes that hold all their parents, in order."""
    size = len(names)
    mean = torch.zeros(size, dtype=torch.float64)
    # Row i writes node i as a sum of the independent noises of all nodes.
    noises = torch.zeros(size, size, dtype=torch.float64)
    for i, name in enumerate(names):
        node = network.nodes[name]
        conditional = node.conditional
        if not isinstance(conditional, LinearGaussian) or len(conditional.weight) != len(
            node.parents
        ):
            raise CapabilityError(f"node {name!r} is not a linear Gaussian of its parents")
        weight = conditional.weight.double().cpu()
        above = [names.index(parent) for parent in node.parents]
        mean[i] = conditional.bias.double().cpu() + weight @ mean[above]
        noises[i] = weight @ noises[above]
        noises[i, i] = conditional.log_scale.double().cpu().exp()
    return mean, noises @ noises.T


def _check_names(
    network: BayesianNetwork, targets: Sequence[str], given: Mapping[str, Tensor]
) -> None:
    if network.inputs:
        raise CapabilityError(f"a network with inputs ({network.inputs[0]!r}) has no joint density")
    for name in (*targets, *given):
        if name not in network.nodes:
            raise InferenceError(f"no node {name!r}; the nodes are {', '.join(network.nodes)}")
    if len(set(targets)) < len(targets):
        raise InferenceError(f"the targets must differ, got {', '.join(targets)}")
    if both := [name for name in targets if name in given]:
        raise InferenceError(f"{both[0]!r} is given: it cannot be a target")


def _evidence(name: str, value: Tensor | float) -> Tensor:
    try:
        found = torch.as_tensor(value, dtype=torch.float64).cpu()
    except (TypeError, ValueError):
        raise InferenceError(
            f"the evidence of {name!r} must be numbers, got {value!r:.80}"
        ) from None
    if not bool(found.isfinite().all()):
        wrong = found[~found.isfinite()].flatten()[0].item()
        raise InferenceError(f"the evidence of {name!r} must be finite, got {wrong}")
    return found


def _batched(given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    try:
        return torch.broadcast_tensors(*given.values())
    except RuntimeError:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in given.items())
        raise InferenceError(f"batches of evidence must broadcast, got {shapes}") from None


def _columns(dag: DAG, columns: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if missing := [name for name in dag.names if name not in columns]:
        raise ValueError(f"columns must hold every node, {missing} are missing")
    values = {n: torch.as_tensor(columns[n], dtype=torch.float64).cpu() for n in dag.names}
    rows: int | str = "N"
    for name, value in values.items():
        rows = len(value) if rows == "N" and value.ndim == 1 else rows
        if value.shape != (rows,) or not bool(value.isfinite().all()):
            what = "NaN or infinity" if value.shape == (rows,) else f"shape {list(value.shape)}"
            raise ValueError(f"column {name!r} must be {rows} finite numbers, got {what}")
    return values


def _least_squares(name: str, parents: tuple[str, ...], values: Mapping[str, Tensor]) -> Node:
    y = values[name]
    x = (
        torch.stack([values[parent] for parent in parents], -1)
        if parents
        else y.new_empty(len(y), 0)
    )
    if len(y) <= len(parents) + 1:
        raise ValueError(f"{name!r} needs more than {len(parents) + 1} rows, got {len(y)}")
    # Centred, so that far-away data keep their digits; in units of their own width, so that
    # squares neither vanish nor overflow.
    centre, middle = x.mean(0), y.mean()
    away, off = x - centre, y - middle
    widths, width = _width(away.abs().amax(0)), _width(off.abs().max())
    away, off = away / widths, off / width
    weight = torch.linalg.lstsq(away, off[:, None], driver="gelsd").solution[:, 0]
    scale = (off - away @ weight).square().mean().sqrt()
    # Of y's digits those that the mean has in common do not count.
    rounding = 8 * torch.finfo(y.dtype).eps * y.abs().max() / width
    if scale <= rounding or scale <= 1e-12 * off.square().mean().sqrt():
        what = "a linear function of its parents" if parents else "constant"
        raise ValueError(f"column {name!r} must vary around its mean, it is {what}")
    weight = weight * (width / widths)
    node = LinearGaussian(weight).double()
    node.weight = nn.Parameter(weight.clone())  # All digits: the constructor rounds to float32.
    node.bias = nn.Parameter(middle - centre @ weight)
    node.log_scale = nn.Parameter(scale.log() + width.log())
    return Node(name, node, parents)


def _width(largest: Tensor) -> Tensor:
    """Return the largest distances from the mean, 1 where it is 0."""
    return torch.where(largest > 0, largest, 1.0)
