"""The conditional GAN: the same network with one more parent, the class label."""

from collections.abc import Sequence

from torch import Size, nn

from ancestral.adversarial.critic import Critic
from ancestral.adversarial.gan import DecodingNetworks, label_node
from ancestral.adversarial.rules import GameRules
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Deterministic, Node, StandardNormal
from ancestral.nn import MLP
from ancestral.nn.with_label import WithLabel


class ConditionalGAN(DecodingNetworks):
    """A GAN of fully connected layers whose generator and critic also see the class label.

    ``p = {label, z, x | z, label}`` with z independent of the label and x a function of both;
    ``q = {y | x, label}``, the critic, judges whether x is real AND goes with its label.

    Source: Mirza & Osindero 2014, Conditional Generative Adversarial Nets, arXiv:1411.1784, eq. 2.

    Args:
        features: Number of features, or the event shape of x; images are flattened.
        classes: Number of classes K, at least 1.
        latent: Latent dimensions L, at least 1; a few more than the data's own dimension.
        hidden: Widths of the generator's hidden layers; the critic has them in reverse.
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> gan = ConditionalGAN(2, classes=3)
        >>> gan.sample(5, given={"label": 2}).shape
        torch.Size([5, 2])
        >>> gan.graph["p"].parents("x")
        ('z', 'label')
    """

    def __init__(
        self,
        features: int | Sequence[int],
        *,
        classes: int,
        latent: int = 3,
        hidden: Sequence[int] = (128, 128, 128),
        rules: GameRules | None = None,
    ) -> None:
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        if latent < 1:
            raise ValueError(f"latent must be at least 1, got {latent}")
        shape = Size((features,) if isinstance(features, int) else features)
        generator = WithLabel(
            MLP(latent + classes, shape.numel(), hidden=hidden), classes=classes, event_shape=shape
        )
        judge = MLP(
            shape.numel() + classes, 1, hidden=hidden[::-1], activation=lambda: nn.LeakyReLU(0.2)
        )
        critic = Critic(WithLabel(judge, classes=classes))
        p = BayesianNetwork(
            [
                label_node(classes),
                Node("z", StandardNormal((latent,)), (), (latent,)),
                Node("x", Deterministic(generator), ("z", "label"), shape),
            ]
        )
        q = BayesianNetwork([Node("y", critic, ("x", "label"))])
        super().__init__(p, q, rules=rules)
