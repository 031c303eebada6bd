import pytest
import torch

from ancestral.adversarial import PatchCritic


@pytest.mark.parametrize(("halvings", "seen", "patches"), [(1, 16, 78), (2, 34, 38), (3, 70, 18)])
def test_a_logit_sees_a_square_of_pixels(halvings: int, seen: int, patches: int) -> None:
    torch.manual_seed(0)
    critic, x = PatchCritic(1, width=4, halvings=halvings), torch.rand(1, 1, 160, 160)
    logits = critic(x.requires_grad_())
    assert logits.shape == (1, patches**2, 1)
    middle = logits.reshape(patches, patches)[patches // 2, patches // 2]
    (slope,) = torch.autograd.grad(middle, x)
    for axis in (0, 1):
        assert int(slope[0, 0].any(dim=axis).sum()) == seen


def test_examples_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    critic, x = PatchCritic(2, width=4, halvings=1), torch.rand(3, 2, 9, 12)
    torch.testing.assert_close(critic(x)[1:2], critic(x[1:2]))


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"sides of images must be at least 12, got \[11, 20\]"):
        PatchCritic(1, width=4, halvings=2)(torch.zeros(1, 1, 11, 20))
    assert PatchCritic(1, width=4, halvings=2)(torch.zeros(1, 1, 12, 12)).shape == (1, 1, 1)
    with pytest.raises(ValueError, match="must be at least 1, got 1, 0 and 3"):
        PatchCritic(1, width=0)
