"""A client of the historian's API for notebooks and programs: every question is a function, and every answer a frame.

    from dotbus.client import prices
    prices("TH_NP15_GEN-APND", market="RTM", start="today")

The functions ask the API that the environment names (`Client` says how); `Client(url, key=...)` has the same for any other.
"""

from dotbus.client.client import Client
from dotbus.client.errors import AnswerCut, BadQuestion, KeyRefused, NoAnswer, NotFound, NotNow, NotReached, Refused, TooOften

_HERE = Client()

prices = _HERE.prices
nodes = _HERE.nodes
plants = _HERE.plants
resources = _HERE.resources
dispatch_batches = _HERE.dispatch_batches
instructions = _HERE.instructions
dot_latest = _HERE.dot_latest
dot = _HERE.dot
trajectory = _HERE.trajectory
set_point = _HERE.set_point
compliance = _HERE.compliance
gaps = _HERE.gaps
health = _HERE.health
day = _HERE.day

__all__ = [
    "AnswerCut",
    "BadQuestion",
    "Client",
    "KeyRefused",
    "NoAnswer",
    "NotFound",
    "NotNow",
    "NotReached",
    "Refused",
    "TooOften",
    "compliance",
    "day",
    "dispatch_batches",
    "dot",
    "dot_latest",
    "gaps",
    "health",
    "instructions",
    "nodes",
    "plants",
    "prices",
    "resources",
    "set_point",
    "trajectory",
]
