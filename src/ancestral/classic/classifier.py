"""A classifier by a neural network: the network x -> label whose logits it computes."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical

from ancestral.capabilities import Batch, Loss, Player
from ancestral.classic.arguments import states_of
from ancestral.networks.arguments import check_whole
from ancestral.networks.dag import DAG
from ancestral.nn.mlp import MLP
from ancestral.nn.vit import ViT


class Classifier(nn.Module):
    """The conditional ``p(label | x) = Categorical(logits = f(x))``, f an MLP or any network.

    It is trained on the logits; a softmax is taken once, to show probabilities. The book's
    listing ends the network in a softmax and trains it with a cross-entropy that takes another:
    its loss cannot fall below 1.461 for ten classes (E-C01).

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, sec. 6.2.2.

    Args:
        event_shape: Shape of x: (D,), or (channels, height, width).
        classes: Number of labels K, at least 2.
        hidden: Widths of the hidden layers of an MLP of x, flattened; empty for logits linear in x.
        network: What maps x [B, *event] to logits [B, K], in place of the MLP.

    Raises:
        ValueError: If there are fewer than 2 classes, or a width is below 1.

    Example:
        >>> model = Classifier((1, 28, 28), 10, hidden=(4,))
        >>> model(torch.zeros(5, 1, 28, 28)).probs.shape
        torch.Size([5, 10])
        >>> sum(parameter.numel() for parameter in model.parameters())
        3190
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        classes: int,
        *,
        hidden: Sequence[int] = (64,),
        network: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_whole("classes", classes, least=2)
        if isinstance(hidden, str) or not isinstance(hidden, Sequence):
            raise ValueError(f"hidden must be a sequence of widths, got {hidden!r}")
        for width in hidden:
            check_whole("hidden", width)
        self.event_shape, self.classes = tuple(event_shape), classes
        self.network = network or MLP(math.prod(self.event_shape), classes, hidden=hidden)
        self._flat = network is None

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the label under the input x."""
        return {"p": DAG({"label": ("x",)})}

    def forward(self, x: Tensor) -> Categorical:
        """Return p(label | x), batch shape [B], for x [B, *event].

        Raises:
            ValueError: If x is not [B, *event].
        """
        if x.shape[1:] != self.event_shape:
            wanted = ", ".join(map(str, ("B", *self.event_shape)))
            raise ValueError(f"x must have shape [{wanted}], got {list(x.shape)}")
        x = x.to(next(self.parameters()).dtype)
        x = x.flatten(start_dim=1) if self._flat else x
        return Categorical(logits=self.network(x), validate_args=False)

    def posterior(self, x: Tensor) -> Categorical:
        """Return p(label | x), as the call does: the name by which all classifiers are asked."""
        return self(x)

    @torch.no_grad()
    def predict(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the likeliest label of each example, [B], and its probability, [B]."""
        probability, label = self(x).probs.max(dim=1)
        return label, probability

    def players(self) -> Sequence[Player]:
        """Return one player that lowers -log p(label | x)."""
        hidden = self.network.hidden() if isinstance(self.network, ViT) else ()
        return (Player(name="classifier", module=self, loss=self.loss, hidden=hidden),)

    def loss(self, batch: Batch, generator: Generator | None = None) -> Loss:
        """Return the sum of -log p(label | x), nats, over the batch; ``given`` has the labels.

        Raises:
            ValueError: If there is no label, or one is no class.
        """
        del generator  # Nothing is drawn.
        if "label" not in batch.given:
            raise ValueError(f"given must have the label of each row, got {list(batch.given)}")
        label = states_of("label", batch.given["label"], len(batch.x), self.classes, given=False)
        return Loss(-self(batch.x).log_prob(label).sum(), len(batch.x))
