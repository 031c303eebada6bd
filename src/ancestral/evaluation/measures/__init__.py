"""Measures of sample quality: functions of points that return a value and its standard error."""

from ancestral.evaluation.measures.calibration import calibration_error
from ancestral.evaluation.measures.classifier import classifier_accuracy
from ancestral.evaluation.measures.estimate import Estimate
from ancestral.evaluation.measures.frechet import frechet
from ancestral.evaluation.measures.memorisation import memorisation
from ancestral.evaluation.measures.mmd import squared_mmd
from ancestral.evaluation.measures.off_manifold import off_manifold
from ancestral.evaluation.measures.precision_recall import precision_recall
from ancestral.evaluation.measures.probe import linear_probe, linear_probes
from ancestral.evaluation.measures.sliced_wasserstein import sliced_wasserstein

__all__ = [
    "Estimate",
    "calibration_error",
    "classifier_accuracy",
    "frechet",
    "linear_probe",
    "linear_probes",
    "memorisation",
    "off_manifold",
    "precision_recall",
    "sliced_wasserstein",
    "squared_mmd",
]
