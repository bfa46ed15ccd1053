"""pg2dynamo status."""

from __future__ import annotations

import os

from pg2dynamo.cli.command import DEFAULT_PLAN, DONE, JsonOption, PlanOption, run
