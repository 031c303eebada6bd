"""Every model enters the suites of this folder by one line of ``CASES``.

A line tells the model's name, how a fresh one is built, the data it is made for, and what it can
do. Whether a suite runs for a model is asked of the model itself; ``test_names.py`` compares the
answer with the line.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import MultivariateNormal

from ancestral.adversarial import (
    GAN,
    ConditionalGAN,
    CycleGAN,
    GrowingGAN,
    ImageCritic,
    ImageGAN,
    ImageGenerator,
    PatchCritic,
    Pix2Pix,
    StyleGAN,
    TableGAN,
    View,
)
from ancestral.autoencoders import (
    AE,
    FSQ,
    VAE,
    VQVAE,
    BinaryVAE,
    ContinuousBernoulliImageVAE,
    Contraction,
    CrossEntropyImageVAE,
    GaussianMixturePrior,
    HierarchicalVAE,
    ImageVAE,
    ImportanceWeightedBound,
    KeepLargest,
    PosteriorMixture,
    SaltAndPepper,
    Sparsity,
    TableVAE,
    WeighedBound,
    dense_networks,
    image_networks,
)
from ancestral.autoencoders.objectives import Objective
from ancestral.autoencoders.variational import Variational
from ancestral.autoregressive import GPT
from ancestral.capabilities import (
    CAPABILITIES,
    Batch,
    Fits,
    Given,
    Loss,
    LossFunction,
    Player,
    Trains,
)
from ancestral.classic import (
    HMM,
    KDE,
    Bernoullis,
    CategoricalEmissions,
    Classifier,
    DiagonalGaussianEmissions,
    DiagonalGaussians,
    DiscreteNetwork,
    Empirical,
    GaussianEmissions,
    GaussianMixture,
    LinearRegression,
    LogisticRegression,
    MarkovChain,
    MixtureOf,
    NaiveBayes,
    NGram,
)
from ancestral.diffusion import (
    Denoiser,
    Diffusion,
    ImageScoreModel,
    LatentDiffusion,
    MaskedDiffusion,
    ScoreModel,
    TableDiffusion,
)
from ancestral.energy import (
    EBM,
    RBM,
    Energy,
    NoiseContrastive,
    PersistentEBM,
    SmallRBM,
    image_network,
    vector_network,
)
from ancestral.flows import (
    CNF,
    Affine,
    Autoregressive,
    Composed,
    DistilledFlow,
    Elementwise,
    Flow,
    FlowConditional,
    FlowMatching,
    ImageFlowMatching,
    MeanFlow,
    RationalQuadratic,
    RectifiedFlow,
    TableFlowMatching,
    TarFlow,
    TeacherPairs,
    autoregressive_orders,
    coupling_orders,
    glow,
)
from ancestral.networks import AnnealedGaussianChain, Chain, Homogeneous, Table, cosine_schedule
from ancestral.networks.cell_scores import CellScores
from ancestral.nn import PlainUNet, TimedMLP, Translator, ViT
from ancestral.nn.transformer import GPTShape
from ancestral.segmentation import Segmenter
from ancestral.tabular import LatentClass, TabularAutoregressive

EXAMPLES = 512
LABELS = 2
STATES = (2, 3, 2)
SMALL = {"size": 8, "latent": 4, "width": 4}


def line(n: int, seed: int) -> Batch:
    """Two clusters on a line, [n, 1]."""
    x = torch.randn(n, 1, generator=Generator().manual_seed(seed))
    return Batch(0.3 * x + (torch.arange(n)[:, None] % 2) * 2 - 1)


def ring(n: int, seed: int) -> Batch:
    """Points on a noisy ring, [n, 2]."""
    generator = Generator().manual_seed(seed)
    angle = 2 * torch.pi * torch.rand(n, 1, generator=generator)
    points = 1.4 * torch.cat((angle.cos(), angle.sin()), dim=1)
    return Batch(points + 0.1 * torch.randn(n, 2, generator=generator))


def small_ring(n: int, seed: int) -> Batch:
    """The same, half as large and around (1, 1), [n, 2]."""
    return Batch(0.5 * ring(n, seed).x + 1)


def states(n: int, seed: int) -> Batch:
    """Rows of states of three columns, the second often the first, [n, 3]."""
    generator = Generator().manual_seed(seed)
    x = torch.randint(3, (n, 3), generator=generator) % torch.tensor(STATES)
    x[: n // 2, 1] = x[: n // 2, 0]
    return Batch(x)


def classes(n: int, seed: int) -> Batch:
    """Rows of cells, all the first or all the last, but for some strange ones, [n, 3]."""
    generator = Generator().manual_seed(seed)
    x = torch.randint(2, (n, 1), generator=generator) * (torch.tensor(STATES) - 1)
    strange = torch.rand(n, 3, generator=generator) < 0.1
    return Batch(torch.where(strange, states(n, seed + 100).x, x))


def labelled_classes(n: int, seed: int) -> Batch:
    """The same, labelled by the first cell, [n, 3]."""
    x = classes(n, seed).x
    return Batch(x, {"label": (x[:, 0] > 0).long()})


def bits(n: int, seed: int) -> Batch:
    """Rows of three bits, the second often the first, [n, 3]."""
    return Batch((states(n, seed).x % 2).double())


def sequences(n: int, seed: int) -> Batch:
    """Four symbols out of three a row, each often the one before, [n, 4]."""
    generator = Generator().manual_seed(seed)
    x = torch.randint(3, (n, 4), generator=generator)
    stays = torch.rand(n, 4, generator=generator) < 0.5
    for t in range(1, 4):
        x[stays[:, t], t] = x[stays[:, t], t - 1]
    return Batch(x)


def texts(n: int, seed: int) -> Batch:
    """Windows of a BOS and four tokens out of three, each often the one before, [n, 5]."""
    x = sequences(n, seed).x
    return Batch(torch.cat((torch.full_like(x[:, :1], 3), x), dim=1))


def tracks(n: int, seed: int) -> Batch:
    """Two steps on a line, around -1 or 1, [n, 2, 1]."""
    noise = torch.randn(n, 2, 1, generator=Generator().manual_seed(seed))
    return Batch(0.3 * noise + sequences(n, seed).x[:, :2, None].clamp(max=1) * 2 - 1)


def plane(n: int, seed: int) -> Batch:
    """Correlated Gaussian points, [n, 3]."""
    x = torch.randn(n, 3, generator=Generator().manual_seed(seed))
    return Batch(x @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, 0.5], [0.0, 0.0, 0.3]]))


def labelled_bars(n: int, seed: int) -> Batch:
    """Images of one bright row (label 0) or column (label 1), 17 grey levels, [n, 1, 8, 8]."""
    generator = Generator().manual_seed(seed)
    x = torch.randint(0, 5, (n, 1, 8, 8), generator=generator)
    label = torch.randint(LABELS, (n,), generator=generator)
    where = torch.randint(8, (n,), generator=generator)
    rows = torch.arange(n)
    x[rows, 0, where] = torch.randint(12, 17, (n, 8), generator=generator)
    x = torch.where((label == 1)[:, None, None, None], x.mT, x)
    return Batch(x / 16, {"label": label})


def labelled_blobs(n: int, seed: int) -> Batch:
    """Two round clusters with their labels, [n, 2]."""
    x = torch.randn(n, 2, generator=Generator().manual_seed(seed))
    label = torch.arange(n) % LABELS
    return Batch(0.5 * x + 2 * label[:, None] - 1, {"label": label})


def labelled_bars_around_zero(n: int, seed: int) -> Batch:
    """The same images with their levels on [-1, 1], [n, 1, 8, 8]."""
    found = labelled_bars(n, seed)
    return Batch(2 * found.x - 1, found.given)


def labelled_pixels(n: int, seed: int) -> Batch:
    """The same as images of two pixels, [n, 1, 1, 2]."""
    blobs = labelled_blobs(n, seed)
    return Batch(blobs.x[:, None, None], blobs.given)


def bars(n: int, seed: int) -> Batch:
    """The same without labels."""
    return Batch(labelled_bars(n, seed).x)


def sparse_autoencoder() -> AE:
    """Of the plane, with codes of eight numbers of which three are kept."""
    encoder, decoder = dense_networks((3,), 8, hidden=(32,))
    hard = nn.Sequential(encoder, KeepLargest(3))
    return AE(hard, decoder, event_shape=(3,), latent=8, penalty=Sparsity(weight=1e-3))


def plain_autoencoder() -> VAE:
    """Of one number, which is its own latent but for a little noise."""
    vae = VAE(1, latent=1, hidden=(), decoder_std=0.1).requires_grad_(False)
    for name, parameter in vae.named_parameters():
        parameter.zero_()
        if name.endswith("weight"):
            parameter[0] = 1
        elif name.startswith("q"):
            parameter[1] = -2
    return vae


def linear_gaussian_density(model: nn.Module, x: Tensor) -> Tensor:
    """Return the exact log p(x) of a VAE whose decoder is affine: a Gaussian."""
    assert isinstance(model, VAE)
    latent = model.encode(x).mean.shape[1]
    corners = torch.cat((torch.zeros(1, latent), torch.eye(latent)))
    mean, *ends = model.decode(corners)
    slope = torch.stack([end - mean for end in ends], dim=1).double()
    noise = model.decoder(corners[:1]).variance[0].double().diag()
    exact = MultivariateNormal(mean.double(), slope @ slope.T + noise)
    return exact.log_prob(x.double())


def raising(model: Variational, objective: Objective) -> nn.Module:
    """Return the model with another objective."""
    model.objective = objective
    return model


def flow(
    orders: Sequence[Sequence[int]], elementwise: Elementwise, *, classes: int = 0
) -> nn.Module:
    """Return a flow of vectors; in float64, for the grids and slopes of the suites."""
    layers = [
        Autoregressive(groups, elementwise, hidden=(32, 32), context=classes) for groups in orders
    ]
    return Flow(Composed(layers), (len(orders[0]),), classes=classes).double()


@torch.no_grad()
def table_density(model: nn.Module, x: Tensor) -> Tensor:
    """Return the exact log p(x) of a table's VAE of one latent, by the trapezoid rule."""
    assert isinstance(model, TableVAE)
    z = torch.linspace(-8, 8, 4001)[:, None]
    log_joint = model.decoder(z).log_prob(x[:, None, :]) + model.p.nodes["z"].distribution(
        ()
    ).log_prob(z)
    return log_joint.double().logsumexp(dim=1) + math.log(16 / 4000)


def table_diffusion() -> nn.Module:
    """Return a diffusion of rows of cells whose second column is in order."""
    scores = CellScores(STATES, ordered=[False, True, False])
    network = TimedMLP(scores.features, hidden=(32, 32))
    return TableDiffusion(network, scores, schedule=cosine_schedule(9))


def table_flow_matching() -> nn.Module:
    """Return a flow matching of rows of cells whose second column is in order."""
    scores = CellScores(STATES, ordered=[False, True, False])
    return TableFlowMatching(TimedMLP(scores.features, hidden=(32, 32)), scores)


def teacher_pairs() -> TeacherPairs:
    """Return pairs of a model whose draws are not its noise; it is not trained."""
    network = TimedMLP(2, hidden=(8,))
    nn.init.constant_(network.output.weight, 1.0)
    return TeacherPairs(FlowMatching(network, (2,)), size=100)


class OfOneImage(Segmenter):
    """The masks of one image of three pixels, as rows: it is given to the model each time."""

    needs = ()

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 3, 3, padding=1), channels=1, classes=3)
        self.seen = {"image": torch.tensor([[[0.0, 90.0, 255.0]]])}

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        masks = x.unflatten(1, (1, 1, 3))
        return super().log_prob(masks, given={**self.seen, **(given or {})})

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        both = {**self.seen, **(given or {})}
        return super().sample(n, given=both, generator=generator).flatten(1)

    def loss(self, batch: Batch, generator: Generator | None = None) -> Loss:
        return super().loss(Batch(batch.x.unflatten(1, (1, 1, 3)), self.seen), generator)


class MadeOfNoise(nn.Module):
    """What a model makes of images of 8x8 pixels of noise: the image has a law here."""

    def __init__(self, model: Pix2Pix | CycleGAN) -> None:
        super().__init__()
        self.model, self.graph = model, model.graph

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        both = {"image": self._noise(n, generator), **(given or {})}
        return self.model.sample(n, given=both, generator=generator)

    def players(self) -> list[Player]:
        return [replace(one, loss=partial(self._loss, one.loss)) for one in self.model.players()]

    def _loss(self, loss: LossFunction, batch: Batch, generator: Generator | None = None) -> Loss:
        return loss(Batch(batch.x, {"image": self._noise(len(batch.x), generator)}), generator)

    def _noise(self, n: int, generator: Generator | None) -> Tensor:
        return torch.randint(256, (n, 1, 8, 8), generator=generator)


def pix2pix() -> nn.Module:
    network = PlainUNet(1, outputs=1, widths=(4, 8), norm="group")
    critic, view = PatchCritic(2, width=4, halvings=1), View(channels=(1, 1))
    return MadeOfNoise(Pix2Pix(network, critic, view=view))


def cyclegan() -> nn.Module:
    there, back = (Translator(1, outputs=1, widths=(4, 8), blocks=1) for _ in range(2))
    critics = PatchCritic(1, width=4, halvings=1), PatchCritic(1, width=4, halvings=1)
    return MadeOfNoise(CycleGAN(there, back, critics, view=View(channels=(1, 1))))


def growing_gan() -> GrowingGAN:
    """Its second level is being faded in, so that all layers are at work."""
    model = GrowingGAN((1, 8, 8), latent=3, width=4, classes=LABELS)
    model.at(0.25)
    return model


@dataclass(frozen=True, slots=True)
class Case:
    """One model in the suites.

    Args:
        name: Names the tests.
        build: Returns a fresh model, neither fitted nor trained.
        data: Returns (number, seed) -> examples in model units, with what is given.
        can: The capabilities that the model has, by the names in ``CAPABILITIES``.
        steps: Updates of training before a suite that needs a trained model.
        exact: log p(x) of the fitted model by other means, where they exist.
        states: Numbers of states of the columns of a discrete model.
        holds: What ``sample`` can hold fixed: the event shape of each node, by name.
        weight: Of an example in the loss: of a text the number of its tokens.
        drawn: Whether its bound is of draws.
    """

    name: str
    build: Callable[[], nn.Module]
    data: Callable[[int, int], Batch]
    can: str
    steps: int = 200
    exact: Callable[[nn.Module, Tensor], Tensor] | None = None
    states: tuple[int, ...] = ()
    holds: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    weight: int = 1
    drawn: bool = True

    @property
    def held_out(self) -> Batch:
        """Examples that no model was fitted on."""
        return self.data(64, 1)

    def fresh(self) -> nn.Module:
        """Return a model with reproducible initial weights."""
        torch.manual_seed(0)
        return self.build()

    def fitted(self) -> nn.Module:
        """Return the fitted or trained model, shared by all tests: they must not change it."""
        return _fitted(self)


CLASSIC = "samples density fits graph"
DEEP = "samples means bound tightens encodes trains graph"
LOSS_ONLY = "samples means encodes trains graph"
BOUND_ONLY = "samples bound tightens encodes trains graph"
GAN_LIKE = "samples trains graph"
CODER = "samples encodes trains graph"
FLOW = "samples density trains graph"
EXACT_FLOW = "samples density encodes trains graph"
ENERGY = "samples trains graph"

Z, Z_1, LABEL = {"z": (2,)}, {"z": (1,)}, {"label": ()}

CASES = [
    Case("empirical", lambda: Empirical((2,)), ring, "samples fits graph"),
    Case(
        "empirical-labels",
        lambda: Empirical((1, 8, 8)),
        labelled_bars,
        "samples fits graph",
        holds=LABEL,
    ),
    Case("kde", lambda: KDE(2), ring, CLASSIC),
    Case("kde-1d", lambda: KDE(1, bandwidth=0.2), line, CLASSIC),
    Case("gmm", lambda: GaussianMixture(2, components=8), ring, CLASSIC, holds={"z": ()}),
    Case("gmm-1d", lambda: GaussianMixture(1, components=2), line, CLASSIC, holds={"z": ()}),
    Case(
        "gmm-diag",
        lambda: GaussianMixture(2, components=4, covariance="diag"),
        ring,
        CLASSIC,
        holds={"z": ()},
    ),
    Case("kde-exponential", lambda: KDE(2, kernel="exponential", bandwidth=0.1), ring, CLASSIC),
    Case(
        "naive-bayes",
        lambda: NaiveBayes(DiagonalGaussians(2, 2)),
        labelled_blobs,
        f"{CLASSIC} classifies",
        holds=LABEL,
    ),
    Case(
        "mixture-of-tables",
        lambda: MixtureOf(Bernoullis(2, 3)),
        bits,
        CLASSIC,
        states=(2, 2, 2),
        holds={"z": ()},
    ),
    Case("linear", lambda: LinearRegression(3), plane, "graph"),
    Case("logistic", lambda: LogisticRegression(2, 2), labelled_blobs, "classifies fits graph"),
    Case("mlp", lambda: Classifier((2,), 2), labelled_blobs, "classifies trains graph", 60),
    Case(
        "mlp-images", lambda: Classifier((1, 8, 8), 2), labelled_bars, "classifies trains graph", 60
    ),
    Case(
        "vit",
        lambda: Classifier((1, 8, 8), 2, network=ViT((1, 8, 8), 2, width=16, layers=1, heads=2)),
        labelled_bars_around_zero,
        "classifies trains graph",
        60,
    ),
    Case(
        "bayes-net",
        lambda: DiscreteNetwork(STATES, edges=[(0, 1), (1, 2)], names=["x", "y", "z"]),
        states,
        f"{CLASSIC} completes",
        states=STATES,
        holds={"x": (), "z": ()},
    ),
    Case(
        "latent-class",
        lambda: LatentClass(STATES, classes=2),
        states,
        f"{CLASSIC} completes",
        states=STATES,
        holds={"x2": ()},
    ),
    Case(
        "tabular-ar",
        lambda: TabularAutoregressive(STATES, width=32, blocks=1, dropout=0.0),
        states,
        "samples density completes trains graph",
        states=STATES,
        holds={"x1": (), "x3": ()},
    ),
    Case(
        "markov",
        lambda: MarkovChain(3, order=2, length=4),
        sequences,
        CLASSIC,
        states=(3,) * 4,
    ),
    Case(
        "ngram",
        lambda: NGram(3, order=2, ends=False, length=4),
        sequences,
        CLASSIC,
        states=(3,) * 4,
    ),
    Case(
        "hmm",
        lambda: HMM(CategoricalEmissions(2, symbols=3), iterations=5, length=4),
        sequences,
        CLASSIC,
        states=(3,) * 4,
        holds={"z1": ()},
    ),
    Case(
        "hmm-full",
        lambda: HMM(GaussianEmissions(2, features=1), length=2),
        tracks,
        CLASSIC,
        holds={"z1": ()},
    ),
    Case(
        "hmm-diagonal",
        lambda: HMM(DiagonalGaussianEmissions(2, features=1), length=2),
        tracks,
        CLASSIC,
        holds={"z1": ()},
    ),
    Case(
        "chain",
        lambda: Chain(Table([0.3, 0.5, 0.2]), Homogeneous(Table([[0.6, 0.2, 0.2]] * 3)), steps=3),
        sequences,
        "samples density",
        states=(3,) * 4,
        holds={"z0": ()},
    ),
    Case(
        "annealed-gaussian",
        lambda: AnnealedGaussianChain(2, steps=10),
        small_ring,
        f"{CLASSIC} bound",
        exact=lambda model, x: model.log_prob(x.double()),
        holds={"z10": (2,)},
    ),
    Case(
        "ae",
        lambda: AE(*dense_networks((2,), 1, hidden=(32,)), event_shape=(2,), latent=1),
        ring,
        CODER,
        300,
        holds=Z_1,
    ),
    Case(
        "ae-tied",
        lambda: AE(*dense_networks((3,), 2, hidden=(8,), tied=True), event_shape=(3,), latent=2),
        plane,
        CODER,
        holds=Z,
    ),
    Case("sparse-ae", sparse_autoencoder, plane, CODER, holds={"z": (8,)}),
    Case(
        "contractive-ae",
        lambda: AE(
            *dense_networks((3,), 2, hidden=(32,)),
            event_shape=(3,),
            latent=2,
            penalty=Contraction(weight=0.01, probes=1),
        ),
        plane,
        CODER,
        holds=Z,
    ),
    Case(
        "denoising-ae",
        lambda: AE(
            *image_networks((1, 8, 8), 4, width=4),
            event_shape=(1, 8, 8),
            latent=4,
            corruption=SaltAndPepper(least=0.1, most=0.3),
        ),
        bars,
        CODER,
        holds={"z": (4,)},
    ),
    Case("vae", lambda: VAE(2, latent=2, hidden=(32,), decoder_std=0.3), ring, DEEP, 300, holds=Z),
    Case(
        "vae-mixture",
        lambda: VAE(2, latent=2, hidden=(32,), prior=GaussianMixturePrior(2, components=5)),
        ring,
        DEEP,
        300,
        holds=Z,
    ),
    Case(
        "vae-posteriors",
        lambda: VAE(2, latent=2, hidden=(32,), prior=PosteriorMixture(2, components=5)),
        ring,
        DEEP,
        300,
        holds=Z,
    ),
    Case(
        "vae-linear",
        lambda: VAE(3, latent=2, hidden=()),
        plane,
        DEEP,
        300,
        linear_gaussian_density,
        holds=Z,
    ),
    Case(
        "vae-labels",
        lambda: VAE(2, latent=2, hidden=(32,), classes=LABELS),
        labelled_blobs,
        DEEP,
        300,
        holds={**Z, **LABEL},
    ),
    Case(
        "vae-flow",
        lambda: VAE(
            2,
            latent=2,
            hidden=(32,),
            prior=FlowConditional(Autoregressive([0, 1], Affine(), hidden=(16,)), (2,)),
        ),
        ring,
        DEEP,
        300,
        holds=Z,
    ),
    Case(
        "binary-vae",
        lambda: BinaryVAE(3, latent=2, hidden=(32,)),
        lambda n, seed: Batch(bits(n, seed).x.float()),
        DEEP,
        300,
        holds=Z,
    ),
    Case(
        "beta-vae",
        lambda: raising(VAE(3, latent=2, hidden=()), WeighedBound(beta=2.0, warmup=0.5)),
        plane,
        DEEP,
        300,
        linear_gaussian_density,
        holds=Z,
    ),
    Case(
        "iwae",
        lambda: raising(VAE(3, latent=2, hidden=()), ImportanceWeightedBound(5)),
        plane,
        DEEP,
        300,
        linear_gaussian_density,
        holds=Z,
    ),
    Case(
        "hierarchical-vae",
        lambda: HierarchicalVAE(2, latents=(3, 2), hidden=(32,)),
        ring,
        DEEP,
        300,
        holds={"z2": (2,)},
    ),
    Case(
        "table-vae",
        lambda: TableVAE(STATES, latent=1, hidden=(32,)),
        classes,
        BOUND_ONLY,
        300,
        table_density,
        holds={"z": (1,)},
    ),
    Case(
        "table-vae-labels",
        lambda: TableVAE(STATES, latent=2, hidden=(32,), classes=LABELS),
        labelled_classes,
        BOUND_ONLY,
        300,
        holds={**Z, **LABEL},
    ),
    Case("image-vae", lambda: ImageVAE(**SMALL, levels=17), bars, DEEP, holds={"z": (4,)}),
    Case(
        "image-vae-layers",
        lambda: ImageVAE(**{**SMALL, "latent": (4, 2)}, levels=17),
        bars,
        DEEP,
        holds={"z2": (2,)},
    ),
    Case(
        "image-vae-continuous-bernoulli",
        lambda: ContinuousBernoulliImageVAE(**SMALL, levels=17),
        bars,
        DEEP,
        holds={"z": (4,)},
    ),
    Case(
        "image-vae-labels",
        lambda: ImageVAE(**SMALL, levels=17, classes=LABELS),
        labelled_bars,
        DEEP,
        holds={"z": (4,), **LABEL},
    ),
    Case(
        "image-vae-book",
        lambda: CrossEntropyImageVAE(**SMALL),
        bars,
        LOSS_ONLY,
        holds={"z": (4,)},
    ),
    Case(
        "vq-vae",
        lambda: VQVAE(
            FSQ((5, 5)),
            GPT(
                25 + LABELS + 4,
                shape=GPTShape(window=4, width=16, layers=1, heads=2),
                dropout=0.0,
            ),
            size=8,
            classes=LABELS,
            levels=17,
            width=8,
        ),
        labelled_bars,
        "samples means bound encodes trains graph",
        holds=LABEL,
        drawn=False,
    ),
    Case(
        "diffusion",
        lambda: Diffusion(
            Denoiser(TimedMLP(2, hidden=(32, 32))), (2,), schedule=cosine_schedule(9)
        ),
        small_ring,
        "samples bound trains graph",
        300,
        holds={"z9": (2,)},
    ),
    Case(
        "table-diffusion",
        table_diffusion,
        classes,
        "samples bound trains graph",
        300,
    ),
    Case(
        "diffusion-labels",
        lambda: Diffusion(
            Denoiser(TimedMLP((1, 8, 8), hidden=(64,), classes=LABELS), classes=LABELS),
            (1, 8, 8),
            schedule=cosine_schedule(9),
            grey_levels=17,
        ),
        labelled_bars_around_zero,
        "samples bound trains graph",
        holds={"z9": (1, 8, 8), **LABEL},
    ),
    Case(
        "score",
        lambda: ScoreModel(
            Denoiser(TimedMLP(1, hidden=(32,)), prediction="epsilon"), (1,), process="vp"
        ).double(),
        line,
        "samples density trains graph",
        600,
    ),
    Case(
        "score-images",
        lambda: ImageScoreModel(
            Denoiser(TimedMLP((1, 8, 8), hidden=(64,), classes=LABELS), classes=LABELS), (1, 8, 8)
        ),
        labelled_bars_around_zero,
        "samples trains graph",
        holds=LABEL,
    ),
    Case("maf", lambda: flow(autoregressive_orders(2, 3), Affine()), ring, EXACT_FLOW),
    Case("nsf", lambda: flow(autoregressive_orders(2, 2), RationalQuadratic()), ring, EXACT_FLOW),
    Case(
        "glow-labels",
        lambda: Flow(
            glow(1, scales=2, steps=2, width=8, context=LABELS), (1, 8, 8), classes=LABELS
        ).double(),
        labelled_bars_around_zero,
        EXACT_FLOW,
        60,
        holds=LABEL,
    ),
    Case(
        "realnvp-labels",
        lambda: flow(coupling_orders(2, 4), Affine(), classes=LABELS),
        labelled_blobs,
        EXACT_FLOW,
        holds=LABEL,
    ),
    Case(
        "tarflow",
        lambda: Flow(
            TarFlow((1, 1, 2), classes=LABELS, patch=1, width=32, blocks=2, layers=1),
            (1, 1, 2),
            classes=LABELS,
        ).double(),
        labelled_pixels,
        EXACT_FLOW,
        holds=LABEL,
    ),
    Case(
        "latent-diffusion",
        lambda: LatentDiffusion(
            plain_autoencoder(),
            Diffusion(
                Denoiser(TimedMLP(1, hidden=(64, 64), frequencies=4)),
                (1,),
                schedule=cosine_schedule(9),
            ),
        ).fit_latents(line(EXAMPLES, 0).x),
        line,
        "samples bound trains graph",
        holds={"z9": (1,)},
    ),
    Case("gan", lambda: GAN(2, latent=2, hidden=(32,)), ring, GAN_LIKE + " decodes", holds=Z),
    Case(
        "table-gan",
        lambda: TableGAN(STATES, latent=2, hidden=(32,)),
        states,
        GAN_LIKE,
        holds=Z,
    ),
    Case(
        "cgan",
        lambda: ConditionalGAN((1, 8, 8), classes=LABELS),
        labelled_bars,
        GAN_LIKE + " decodes",
        holds={"z": (3,), **LABEL},
    ),
    Case(
        "image-gan-labels",
        lambda: ImageGAN(
            ImageGenerator(3, (1, 8, 8), width=8, classes=LABELS),
            ImageCritic((1, 8, 8), width=8, classes=LABELS),
            event_shape=(1, 8, 8),
            latent=3,
            classes=LABELS,
        ),
        labelled_bars_around_zero,
        GAN_LIKE + " decodes",
        holds={"z": (3,), **LABEL},
    ),
    Case("pix2pix", pix2pix, lambda n, seed: Batch(2 * bars(n, seed).x - 1), GAN_LIKE, 60),
    Case("cyclegan", cyclegan, lambda n, seed: Batch(2 * bars(n, seed).x - 1), GAN_LIKE, 60),
    Case(
        "growing-gan-labels",
        growing_gan,
        labelled_bars_around_zero,
        GAN_LIKE + " decodes",
        holds={"z": (3,), **LABEL},
    ),
    Case(
        "style-gan-labels",
        lambda: StyleGAN((1, 8, 8), latent=3, width=4, classes=LABELS),
        labelled_bars_around_zero,
        GAN_LIKE + " decodes",
        holds={"z": (3,), "noise": (144,), **LABEL},
    ),
    Case(
        "masked-diffusion",
        lambda: MaskedDiffusion(
            7, shape=GPTShape(window=4, width=16, layers=1, heads=2), block=2, dropout=0.0
        ),
        texts,
        "samples bound infills trains graph",
        weight=4,
    ),
    Case(
        "bert",
        lambda: MaskedDiffusion(
            7,
            shape=GPTShape(window=4, width=16, layers=1, heads=2),
            block=4,
            dropout=0.0,
            rate=0.5,
        ),
        texts,
        "samples bound infills trains graph",
        weight=4,
    ),
    Case(
        "cnf",
        lambda: CNF(TimedMLP(1, hidden=(16,)), (1,), steps=2).double(),
        line,
        FLOW,
        60,
        holds=Z_1,
    ),
    Case(
        "flow-matching",
        lambda: FlowMatching(TimedMLP(1, hidden=(32,)), (1,)).double(),
        line,
        FLOW,
        holds=Z_1,
    ),
    Case("table-flow-matching", table_flow_matching, classes, "samples trains graph", 300),
    Case(
        "image-flow-matching",
        lambda: ImageFlowMatching(
            TimedMLP((1, 8, 8), hidden=(32,), classes=LABELS), (1, 8, 8), classes=LABELS
        ),
        labelled_bars,
        GAN_LIKE,
        holds={"z": (1, 8, 8), **LABEL},
    ),
    Case(
        "rectified-flow",
        lambda: RectifiedFlow(TimedMLP(2, hidden=(32,)), (2,), pairs=teacher_pairs()),
        ring,
        GAN_LIKE,
        holds=Z,
    ),
    Case(
        "distilled-flow",
        lambda: DistilledFlow(TimedMLP(2, hidden=(32,)), (2,), pairs=teacher_pairs()),
        ring,
        GAN_LIKE,
        holds=Z,
    ),
    Case(
        "meanflow",
        lambda: MeanFlow(TimedMLP(2, hidden=(32,), times=2), (2,), intervals=0.75),
        ring,
        GAN_LIKE,
        holds=Z,
    ),
    Case(
        "ebm",
        lambda: EBM(Energy(vector_network(2, hidden=(32,)), (2,)), NoiseContrastive()),
        ring,
        ENERGY,
    ),
    Case(
        "ebm-persistent",
        lambda: PersistentEBM(Energy(image_network(1, 8, width=4), (1, 8, 8)), chains=200, steps=5),
        bars,
        ENERGY,
        60,
    ),
    Case(
        "segment",
        OfOneImage,
        lambda n, seed: Batch(sequences(n, seed).x[:, :3]),
        "samples density trains graph",
        states=(3, 3, 3),
        weight=3,
    ),
    Case("rbm", lambda: RBM(STATES, hidden=20), states, ENERGY, states=STATES),
    Case(
        "rbm-small", lambda: SmallRBM(STATES, hidden=4), states, f"{ENERGY} density", states=STATES
    ),
]


def cases(capability: str) -> pytest.MarkDecorator:
    """Run a test for every model that has a capability, as the argument ``case``."""
    protocol = CAPABILITIES[capability]
    able = [case for case in CASES if isinstance(case.build(), protocol)]
    return pytest.mark.parametrize("case", able, ids=[case.name for case in able])


every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def train(
    players: Sequence[Player], examples: Batch, *, steps: int, learning_rate: float = 5e-3
) -> dict[str, list[float]]:
    """Let the players take turns on batches of at most 128; return their mean losses by name."""
    owned = {player.name: list(player.module.parameters()) for player in players}
    optimizers = {name: torch.optim.Adam(of, lr=learning_rate) for name, of in owned.items()}
    losses: dict[str, list[float]] = {player.name: [] for player in players}
    generator = Generator().manual_seed(0)
    for _ in range(steps):
        for player in players:
            rows = torch.randperm(len(examples.x), generator=generator)[:128]
            given = {name: value[rows] for name, value in examples.given.items()}
            loss = player.loss(Batch(examples.x[rows], given), generator)
            mean = loss.total / loss.weight
            gradients = torch.autograd.grad(mean, owned[player.name])
            for parameter, gradient in zip(owned[player.name], gradients, strict=True):
                parameter.grad = gradient
            optimizers[player.name].step()
            losses[player.name].append(mean.item())
    return losses


@cache
def _fitted(case: Case) -> nn.Module:
    model, examples = case.fresh(), case.data(EXAMPLES, 0)
    if isinstance(model, Fits):
        model.fit(examples.x, given=examples.given or None, generator=Generator().manual_seed(0))
    if isinstance(model, Trains):
        players = model.players()
        # Players that oppose each other need smaller steps.
        rate = 5e-3 if len(players) == 1 else 1e-3
        train(players, examples, steps=case.steps, learning_rate=rate)
    return model.requires_grad_(False).eval()
