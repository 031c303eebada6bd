import torch
from tests.contracts.models import Case, cases
from torch import Generator

pytestmark = cases("means")


def test_means_have_the_shape_of_draws_and_follow_the_seed(case: Case) -> None:
    model, before = case.fitted(), torch.get_rng_state()
    means = [
        model.sample_means(n, generator=Generator().manual_seed(seed))
        for n, seed in ((1, 0), (9, 3), (9, 3), (9, 4))
    ]
    assert torch.equal(before, torch.get_rng_state())
    assert [len(mean) for mean in means] == [1, 9, 9, 9]
    assert means[0].shape[1:] == case.held_out.x.shape[1:]
    assert torch.equal(means[1], means[2])
    assert not torch.equal(means[1], means[3])


def test_means_vary_less_than_draws(case: Case) -> None:
    # Var x = Var E[x | z] + E Var[x | z], so this holds in every coordinate but for noise.
    means, draws = (
        take(2000, generator=Generator().manual_seed(0)).var(dim=0).mean()
        for take in (case.fitted().sample_means, case.fitted().sample)
    )
    assert means < draws
