"""Flows: noise carried to data, by bijections or by a velocity in time."""

from ancestral.flows.cnf import CNF
from ancestral.flows.flow_matching import FlowMatching, ImageFlowMatching, flow_matching_loss
from ancestral.flows.mean_flow import MeanFlow, mean_flow_error
from ancestral.flows.optimal_coupling import optimal_coupling
from ancestral.flows.rectified import DistilledFlow, RectifiedFlow, TeacherPairs

__all__ = [
    "CNF",
    "DistilledFlow",
    "FlowMatching",
    "ImageFlowMatching",
    "MeanFlow",
    "RectifiedFlow",
    "TeacherPairs",
    "flow_matching_loss",
    "mean_flow_error",
    "optimal_coupling",
]
