"""Training: one loop, an iterator that the caller drives; nothing here knows a model's name."""

from ancestral.training.budget import Budget
from ancestral.training.checkpoint import Checkpoints, load_tensors, save_tensors
from ancestral.training.feed import Feed, Rows, Streamed
from ancestral.training.game import Game
from ancestral.training.loop import Prepare, Report, Stopped, Validation, train
from ancestral.training.options import Options
from ancestral.training.order import Order, order, seed_of
from ancestral.training.progress import Progress

__all__ = [
    "Budget",
    "Checkpoints",
    "Feed",
    "Game",
    "Options",
    "Order",
    "Prepare",
    "Progress",
    "Report",
    "Rows",
    "Stopped",
    "Streamed",
    "Validation",
    "load_tensors",
    "order",
    "save_tensors",
    "seed_of",
    "train",
]
