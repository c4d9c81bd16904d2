"""The exact construction (ours): every active circuit gets a lane of its own. Chapter 12."""

from superpos.exact.build import embed
from superpos.exact.network import ExactNetwork
from superpos.exact.plan import plan
from superpos.exact.sizes import Entry, Plan

__all__ = ["Entry", "ExactNetwork", "Plan", "embed", "plan"]
