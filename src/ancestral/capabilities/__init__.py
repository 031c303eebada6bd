"""What a model can do: small protocols instead of a base class, and the words of training.

No model inherits from another. ``isinstance(model, HasDensity)`` is the way to ask. It looks at the
methods' parameters, not at their names alone: what cannot be called as the protocol says, or says
that it returns something else (the joint of a network, a table of scores), is not one. The contract
suites in ``tests/contracts`` check that each name keeps its promise. All log quantities are nats.

Every method here works in MODEL units: the data after the transform that a run fitted. The same
model in the user's units is :class:`ancestral.networks.units.InDataUnits`.
"""

from ancestral.capabilities.games import (
    Batch,
    Changes,
    Grows,
    Loss,
    LossFunction,
    Player,
    Trains,
)
from ancestral.capabilities.language import (
    Attends,
    Infills,
    LanguageModel,
    SpecialTokens,
    TokenState,
)
from ancestral.capabilities.models import (
    Classifies,
    Completes,
    Decodes,
    Encodes,
    Fits,
    Given,
    HasBound,
    HasDensity,
    HasGraph,
    HasLabelLaw,
    NeedsGiven,
    Restores,
    Samples,
    SamplesMeans,
    TakesStates,
    Tightens,
)

__all__ = [
    "CAPABILITIES",
    "Attends",
    "Batch",
    "Changes",
    "Classifies",
    "Completes",
    "Decodes",
    "Encodes",
    "Fits",
    "Given",
    "Grows",
    "HasBound",
    "HasDensity",
    "HasGraph",
    "HasLabelLaw",
    "Infills",
    "LanguageModel",
    "Loss",
    "LossFunction",
    "NeedsGiven",
    "Player",
    "Restores",
    "Samples",
    "SamplesMeans",
    "SpecialTokens",
    "TakesStates",
    "Tightens",
    "TokenState",
    "Trains",
]

CAPABILITIES: dict[str, type] = {
    "samples": Samples,
    "means": SamplesMeans,
    "density": HasDensity,
    "bound": HasBound,
    "tightens": Tightens,
    "encodes": Encodes,
    "decodes": Decodes,
    "classifies": Classifies,
    "completes": Completes,
    "fits": Fits,
    "trains": Trains,
    "graph": HasGraph,
    "language": LanguageModel,
    "infills": Infills,
}
"""The names that ``ancestral models`` prints."""
