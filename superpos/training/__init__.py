"""Training plain networks to run many circuits, and what is inside afterwards. Chapter 14.

A network is given the ports of its circuits, an encoder and a read-out of each, and learns its layers; it starts at
random, or at a construction. It is then a network like the others: `superpos.errors.measure` works on it.
"""

from superpos.training.checkpoint import load, save
from superpos.training.descent import State, Training
from superpos.training.inside import Inside, ablation, alone, attribution, bystanders, inside, sharers
from superpos.training.network import TrainedNetwork, of_network, random_network
from superpos.training.options import Options, batch
from superpos.training.ports import Ports, ports_of, random_ports

__all__ = [
    "Inside",
    "Options",
    "Ports",
    "State",
    "TrainedNetwork",
    "Training",
    "ablation",
    "alone",
    "attribution",
    "batch",
    "bystanders",
    "inside",
    "load",
    "of_network",
    "ports_of",
    "random_network",
    "random_ports",
    "save",
    "sharers",
]
