"""Learning discrete networks: tables by counting and EM, structures by score and by trees."""

from ancestral.networks.learning.chow_liu import chow_liu, mutual_information
from ancestral.networks.learning.counting import (
    Counts,
    Structure,
    fit_tables,
    from_summaries,
    summarize,
)
from ancestral.networks.learning.em import EMResult, fit_em
from ancestral.networks.learning.hill_climbing import hill_climb
from ancestral.networks.learning.pairs import Found
from ancestral.networks.learning.scoring import (
    Criteria,
    aic,
    bic,
    criteria,
    family_score,
    log_likelihood,
    n_params,
)
from ancestral.networks.learning.sensitivity import Sensitivity, sensitivities, sensitivity
from ancestral.networks.learning.streaming import count_file, read_chunks

__all__ = [
    "Counts",
    "Criteria",
    "EMResult",
    "Found",
    "Sensitivity",
    "Structure",
    "aic",
    "bic",
    "chow_liu",
    "count_file",
    "criteria",
    "family_score",
    "fit_em",
    "fit_tables",
    "from_summaries",
    "hill_climb",
    "log_likelihood",
    "mutual_information",
    "n_params",
    "read_chunks",
    "sensitivities",
    "sensitivity",
    "summarize",
]
