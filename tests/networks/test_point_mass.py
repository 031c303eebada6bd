import torch

from ancestral.networks import PointMass


def test_a_point_mass_is_its_point() -> None:
    law = PointMass(torch.randn(5, 2), event_dims=1)
    assert law.batch_shape == (5,)
    assert torch.equal(law.sample((3,)), law.mean.expand(3, 5, 2))
    assert not law.variance.any()
