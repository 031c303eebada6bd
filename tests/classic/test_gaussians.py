import torch

from ancestral.classic.gaussians import Gaussians


def test_the_fast_density_equals_the_distribution() -> None:
    conditional = Gaussians(4, 3).double()
    conditional.means.normal_().add_(100)
    factor = torch.randn(4, 3, 3, dtype=torch.float64).tril()
    factor.diagonal(dim1=1, dim2=2).abs_().add_(0.1)
    conditional.scale_tril.copy_(factor)
    x = 100 + torch.randn(20, 3, dtype=torch.float64)
    for z in range(4):
        want = conditional(torch.full((20,), z)).log_prob(x)
        torch.testing.assert_close(conditional.log_prob(x)[:, z], want, rtol=1e-9, atol=1e-9)
