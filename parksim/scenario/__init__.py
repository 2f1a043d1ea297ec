"""Scenarios: what is simulated, as it is written in a file, and the calls drawn from it."""

from parksim.errors import ScenarioError
from parksim.scenario.model import TEMPLATE, Scenario, Settings
from parksim.scenario.workload import Workload, draw

__all__ = ["TEMPLATE", "Scenario", "ScenarioError", "Settings", "Workload", "draw"]
