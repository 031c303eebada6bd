"""Models are called as the protocols say, and every exported model enters the suites."""

import inspect
from collections.abc import Callable

import pytest
from tests.autoregressive import test_states
from tests.contracts.models import CASES, Case, every_case
from torch import nn
from torch.distributions import Distribution

from ancestral import (
    adversarial,
    autoencoders,
    autoregressive,
    classic,
    energy,
    flows,
    networks,
    tabular,
)
from ancestral.capabilities import CAPABILITIES
from ancestral.classic import (
    Bernoullis,
    Categoricals,
    DiagonalGaussians,
    Multinomials,
    Tagger,
    estimators,
)
from ancestral.networks import VariancePreservingStep, student_network

PACKAGES = (
    adversarial,
    autoencoders,
    autoregressive,
    classic,
    energy,
    estimators,
    flows,
    networks,
    tabular,
)

NOT_MODELS: list[Callable[[], object]] = [
    lambda: VariancePreservingStep(3, (2,)),  # Its posterior is of states, not of labels.
    student_network,  # Its log_prob is the joint, its draws are values by node.
    lambda: Bernoullis(2, 3),  # Families: a column for each state.
    lambda: Categoricals(2, (3,)),
    lambda: DiagonalGaussians(2, 3),
    lambda: Multinomials(2, 3),
    lambda: adversarial.GAN(2).game,  # The players of any generator and critic.
    lambda: energy.Ising(2, 2, coupling=0.5),  # Not fitted to data, and nothing can be given.
    lambda: energy.Ising(2, 2, coupling=0.5).markov_field(),
    lambda: energy.Hopfield(4),  # Stores patterns of +1 and -1.
    lambda: energy.SchroedingerBridge(epsilon=1.0),  # Goes between two sets.
    Tagger,  # Learns from words and tags.
    *(getattr(estimators, name) for name in estimators.__all__),  # In scikit-learn's manner.
]
"""What has methods of a protocol's names that mean something else."""


def members(protocol: type) -> dict[str, object]:
    return {name: value for name, value in vars(protocol).items() if not name.startswith("_")}


@every_case
def test_methods_take_what_their_protocols_say(case: Case) -> None:
    model = case.fitted()
    for capability in case.can.split():
        for name, wanted in members(CAPABILITIES[capability]).items():
            if not inspect.isfunction(wanted):
                continue
            own = inspect.signature(getattr(model, name)).parameters
            _, *parameters = inspect.signature(wanted).parameters.values()
            for parameter in parameters:
                mine = own[parameter.name]
                assert (mine.kind, mine.default) == (parameter.kind, parameter.default), name
            for extra in set(own) - {parameter.name for parameter in parameters}:
                assert own[extra].default is not inspect.Parameter.empty, (name, extra)
                assert own[extra].kind is inspect.Parameter.KEYWORD_ONLY, (name, extra)


def test_every_exported_model_enters_the_suites() -> None:
    # Language models have laws of their own in tests/autoregressive/test_states.py.
    models = [case.build() for case in CASES]
    models += [build() for build in test_states.BUILDERS.values()]
    entered = {type(model) for model in (*models, *(build() for build in NOT_MODELS))}
    entered |= {autoregressive.Seq2Seq}  # Of pairs of sequences: tests/autoregressive/test_seq2seq.
    entered |= {adversarial.Pix2Pix, adversarial.CycleGAN}  # In CASES with an image given.
    for package in PACKAGES:
        for name in package.__all__:
            exported = getattr(package, name)
            if not inspect.isclass(exported) or exported in entered:
                continue
            if issubclass(exported, Distribution):  # torch's own manner.
                continue
            for capability, protocol in CAPABILITIES.items():
                alike = all(hasattr(exported, member) for member in members(protocol))
                assert not alike, f"{name} has the methods of {capability!r} and no line in CASES"


@pytest.mark.parametrize("build", NOT_MODELS)
def test_what_means_something_else_has_no_capability(build: Callable[[], object]) -> None:
    able = [name for name, protocol in CAPABILITIES.items() if isinstance(build(), protocol)]
    assert able == []


def test_methods_of_another_signature_or_result_are_no_capability() -> None:
    class Needy(nn.Module):
        def sample(self, n: int, *, length: int) -> object:
            return n + length

        def log_prob(self, values: dict[str, object]) -> object:
            return values

        def sample_means(
            self, n: int, *, given: object = None, generator: object = None
        ) -> dict[str, object]:
            return {"x": (n, given, generator)}

        graph = "x -> y"

    class Plain(nn.Module):
        """Without a word about types, and with a setting of its own."""

        @property
        def graph(self):  # noqa: ANN202
            return {}

        def sample(self, n, *, given=None, generator=None, steps=10):  # noqa: ANN001, ANN202
            return n, given, generator, steps

        def log_prob(self, x, *, given=None):  # noqa: ANN001, ANN202
            return x, given

    needy, plain = (
        [name for name, protocol in CAPABILITIES.items() if isinstance(model(), protocol)]
        for model in (Needy, Plain)
    )
    assert needy == []
    assert plain == ["samples", "density", "graph"]
