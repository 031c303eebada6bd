import pytest
import torch

from ancestral.classic import bandwidth
from ancestral.classic.bandwidth import leave_one_out, rule_of_thumb
from ancestral.classic.kernels import log_kernel_mean
from ancestral.errors import DataError
from ancestral.telling import watched


def test_rules_of_thumb_equal_sklearn_on_standardised_data() -> None:
    from sklearn.neighbors import KernelDensity

    x = torch.randn(300, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = (x - x.mean(0)) / x.std(0, correction=0)
    for rule in ("scott", "silverman"):
        peer = KernelDensity(bandwidth=rule).fit(x.numpy()).bandwidth_
        assert rule_of_thumb(x, rule) == pytest.approx(peer, rel=1e-12)
        assert rule_of_thumb(7 * x, rule) == pytest.approx(7 * peer, rel=1e-12)


def test_leave_one_out_is_an_interior_maximum() -> None:
    x = torch.randn(400, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chosen = leave_one_out(x)

    def likelihood(width: float) -> float:
        return float(log_kernel_mean(x, x, width, leave_out=torch.arange(400)).mean())

    # The search ends within 1% of the maximum, so 10% to either side is lower.
    assert likelihood(chosen) > max(likelihood(0.9 * chosen), likelihood(1.1 * chosen))


def test_held_out_likelihood_agrees_with_leave_one_out() -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1500, 1, dtype=torch.float64, generator=generator)
    test = torch.randn(1500, 1, dtype=torch.float64, generator=generator)
    widths = torch.logspace(-2.5, 0.5, 31, dtype=torch.float64).tolist()
    held_out = [float(log_kernel_mean(test, x, width).mean()) for width in widths]
    best = max(range(31), key=held_out.__getitem__)
    assert 0 < best < 30
    # The curve is flat at its top: the choice costs less than the standard error of a
    # held-out likelihood, 0.7 nats / sqrt(1500) = 0.018.
    chosen = float(log_kernel_mean(test, x, leave_one_out(x)).mean())
    assert chosen > held_out[best] - 0.018


def test_repeated_rows_do_not_shrink_the_bandwidth() -> None:
    x = torch.randn(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert leave_one_out(torch.cat((x, x, x))) == pytest.approx(leave_one_out(x), rel=0.5)


def test_many_rows_are_judged_by_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(1000, 1, generator=torch.Generator().manual_seed(4))
    every = leave_one_out(x)
    monkeypatch.setattr(bandwidth, "_PAIRS", 1)
    part = leave_one_out(x, generator=torch.Generator().manual_seed(0))
    assert part == leave_one_out(x, generator=torch.Generator().manual_seed(0))
    assert part != every
    assert part == pytest.approx(every, rel=0.5)


def test_without_time_the_best_width_so_far_is_taken() -> None:
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(5))
    shares: list[float] = []

    def width() -> float:
        return leave_one_out(x, generator=torch.Generator().manual_seed(0))

    with watched(shares.append, seconds=0.0):
        first = width()
    assert max(shares) < 0.1  # One evaluation.
    best = width()
    assert 0.1 * best < first != best
    shares.clear()
    with watched(shares.append):
        assert width() == best  # Who listens changes nothing.
    assert shares == sorted(shares)
    assert max(shares) > 0.4


def test_equal_rows_are_refused() -> None:
    with pytest.raises(DataError, match="at least 2 distinct rows, got 4"):
        leave_one_out(torch.ones(4, 2))
