"""The exact construction (ours): every active circuit gets a lane of its own. Chapter 11."""

from superpos.exact.build import embed
from superpos.exact.network import ExactNetwork
from superpos.exact.plan import Plan, plan

__all__ = ["ExactNetwork", "Plan", "embed", "plan"]
