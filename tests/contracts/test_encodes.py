import torch
from tests.contracts.models import Case, cases
from torch.distributions import Distribution

pytestmark = cases("encodes")


def test_the_posterior_is_one_distribution_an_example(case: Case) -> None:
    batch = case.held_out
    posterior = case.fitted().encode(batch.x, given=batch.given or None)
    assert isinstance(posterior, Distribution)
    assert posterior.batch_shape == (len(batch.x),)
    assert posterior.mean.isfinite().all()
    assert (posterior.variance >= 0).all()  # Zero where z is a function of x, as in a flow.
    alone = case.fitted().encode(batch.x[:1], given={k: v[:1] for k, v in batch.given.items()})
    torch.testing.assert_close(alone.mean, posterior.mean[:1], rtol=1e-4, atol=1e-5)


def test_decoding_goes_back_to_the_shape_of_the_data(case: Case) -> None:
    batch = case.held_out
    posterior = case.fitted().encode(batch.x, given=batch.given or None)
    decoded = case.fitted().decode(posterior.mean, given=batch.given or None)
    assert decoded.shape == batch.x.shape
    assert decoded.isfinite().all()


def test_reconstructions_beat_the_mean_of_the_data(case: Case) -> None:
    batch, train = case.held_out, case.data(512, 0)
    posterior = case.fitted().encode(batch.x, given=batch.given or None)
    decoded = case.fitted().decode(posterior.mean, given=batch.given or None)
    error = (decoded - batch.x).double().square().mean()
    assert error < 0.9 * (train.x.double().mean(dim=0) - batch.x).square().mean()
