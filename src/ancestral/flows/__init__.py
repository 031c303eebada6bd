"""Flows: noise carried to data, by bijections or by a velocity in time."""

from ancestral.flows.affine import Affine, ElementwiseAffine
from ancestral.flows.autoregressive import Autoregressive, Elementwise
from ancestral.flows.bijection import Bijection, Composed, Inverted
from ancestral.flows.cnf import CNF
from ancestral.flows.flow import Flow, FlowConditional
from ancestral.flows.flow_matching import FlowMatching, ImageFlowMatching, flow_matching_loss
from ancestral.flows.glow import ChannelCoupling, ChannelMixing, Scale, glow
from ancestral.flows.mean_flow import MeanFlow, mean_flow_error
from ancestral.flows.optimal_coupling import optimal_coupling
from ancestral.flows.orders import autoregressive_orders, coupling_orders
from ancestral.flows.planar import Planar
from ancestral.flows.rectified import DistilledFlow, RectifiedFlow, TeacherPairs
from ancestral.flows.residual import Residual
from ancestral.flows.spline import RationalQuadratic
from ancestral.flows.table import TableFlowMatching
from ancestral.flows.tarflow import PatchFlow, TarFlow, draw_guided
from ancestral.flows.transformed import Transformed

__all__ = [
    "CNF",
    "Affine",
    "Autoregressive",
    "Bijection",
    "ChannelCoupling",
    "ChannelMixing",
    "Composed",
    "DistilledFlow",
    "Elementwise",
    "ElementwiseAffine",
    "Flow",
    "FlowConditional",
    "FlowMatching",
    "ImageFlowMatching",
    "Inverted",
    "MeanFlow",
    "PatchFlow",
    "Planar",
    "RationalQuadratic",
    "RectifiedFlow",
    "Residual",
    "Scale",
    "TableFlowMatching",
    "TarFlow",
    "TeacherPairs",
    "Transformed",
    "autoregressive_orders",
    "coupling_orders",
    "draw_guided",
    "flow_matching_loss",
    "glow",
    "mean_flow_error",
    "optimal_coupling",
]
