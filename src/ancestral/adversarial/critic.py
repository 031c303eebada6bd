"""The critic of an adversarial game: q(y | x), real or generated."""

from torch import Tensor, nn
from torch.distributions import Bernoulli


class Critic(nn.Module):
    """The node y | x ~ Bernoulli(D(x)), y = 1 for a real example, parametrised by its logit.

    It is a plain classifier that serves the training of a generator and is dropped after. There
    is no sigmoid at the end of the network: the losses work on logits.

    Source: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661.

    Args:
        network: Maps values of the parents, each [B, *event], to [B, 1].

    Example:
        >>> import torch
        >>> critic = Critic(nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))
        >>> critic(torch.zeros(5, 1, 8, 8)).batch_shape
        torch.Size([5])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def logits(self, *parents: Tensor) -> Tensor:
        """Return log D - log(1 - D) for parents [B, *event], [B]."""
        return self.network(*parents).squeeze(-1)

    def forward(self, *parents: Tensor) -> Bernoulli:
        """Return q(y | x), batch shape [B], for parents [B, *event]."""
        return Bernoulli(logits=self.logits(*parents), validate_args=False)
