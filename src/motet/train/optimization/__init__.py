"""From gradients to steps: optimizers, the rate over time, the balance of the experts."""

from motet.train.optimization.experts import ExpertLoad
from motet.train.optimization.groups import build_optimizer
from motet.train.optimization.schedule import build_schedule, rate_at

__all__ = ["ExpertLoad", "build_optimizer", "build_schedule", "rate_at"]
