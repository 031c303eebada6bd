import pytest
import torch
from torch import Generator, Tensor

from ancestral.evaluation.measures import linear_probe, linear_probes
from ancestral.evaluation.measures.probe import Labelled


def blobs(n: int, seed: int, *, apart: float) -> Labelled:
    """Two round clusters of equal size, ``apart`` standard deviations from each other, [n, 3]."""
    noise = torch.randn(n, 3, generator=Generator().manual_seed(seed)).double()
    label = torch.arange(n) % 2
    noise[:, 0] += apart * label
    return noise, label


def test_a_probe_is_as_right_as_the_best_line() -> None:
    train, test = blobs(4_000, 0, apart=2.0), blobs(4_000, 1, apart=2.0)
    found = linear_probe(train, test)
    best = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(1.0)).item()
    # Of 4,000 points the share spreads by 0.006; the learned line loses less than that.
    assert found.value == pytest.approx(best, abs=5 * found.se)
    assert found.se == pytest.approx((best * (1 - best) / 4_000) ** 0.5, rel=0.1)


def test_labels_without_a_trace_are_guessed() -> None:
    found = linear_probe(blobs(2_000, 0, apart=0.0), blobs(2_000, 1, apart=0.0))
    assert found.value == pytest.approx(0.5, abs=5 * found.se)


def test_shift_scale_and_rotation_make_no_difference() -> None:
    (x, label), (y, other) = (blobs(200, i, apart=1.0) for i in (0, 1))
    turn = torch.linalg.qr(blobs(3, 2, apart=0.0)[0]).Q * 1e6
    turned = linear_probe((x @ turn + 7, label), (y @ turn + 7, other))
    assert turned == linear_probe((x, label), (y, other))


def test_points_that_do_not_vary_tell_nothing() -> None:
    x, label = torch.ones(20, 2), torch.arange(20) % 2
    assert linear_probe((x, label), (x, label)).value == 0.5


def test_components_are_those_of_the_largest_variance() -> None:
    """One feature stands against one component: the wide column, which knows nothing."""
    (x, label), (y, other) = (blobs(1_000, i, apart=4.0) for i in (0, 1))
    wide = torch.tensor([1.0, 50.0, 1.0]).double()
    found = linear_probes(lambda z: z[:, :1], (x * wide, label), (y * wide, other))
    assert found["features"].value > 0.95
    assert found["raw"].value > 0.95
    assert found["pca"].value < 0.6


def test_features_are_taken_part_by_part_and_without_gradients() -> None:
    seen: list[int] = []

    def features(z: Tensor) -> Tensor:
        seen.append(len(z))
        assert not torch.is_grad_enabled()
        return z.reshape(-1, 1, 3)

    linear_probes(features, blobs(1_500, 0, apart=1.0), blobs(20, 1, apart=1.0))
    assert seen == [1_000, 500, 20]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, label: (x, label[:-1]), r"labels of train must be \[20\], got \[19\]"),
        (lambda x, label: (x, 0 * label), "at least 2 classes, got 1"),
        (lambda x, label: (x[:, 0], label), "x must be"),
    ],
)
def test_bad_input_is_named(change, message: str) -> None:  # noqa: ANN001
    x, label = blobs(20, 0, apart=1.0)
    with pytest.raises(ValueError, match=message):
        linear_probe(change(x, label), (x, label))


def test_a_penalty_of_nothing_is_named() -> None:
    with pytest.raises(ValueError, match="penalty must be above 0, got 0"):
        linear_probe(blobs(20, 0, apart=1.0), blobs(20, 1, apart=1.0), penalty=0)
