"""Traffic for a store or a running service, with every answer held against a model: a library and a command."""

from __future__ import annotations

from onboarding.traffic.options import Target, TrafficOptions
from onboarding.traffic.report import TrafficProgress, TrafficReport, WrongAnswer
from onboarding.traffic.running import run_traffic
from onboarding.traffic.scene import Features

__all__ = ["Features", "Target", "TrafficOptions", "TrafficProgress", "TrafficReport", "WrongAnswer", "run_traffic"]
