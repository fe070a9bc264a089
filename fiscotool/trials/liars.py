"""The liars of trials, which embedded nodes can be, too: `sim.liars`, `sim.liars_leading`."""

from __future__ import annotations

from fiscotool.sim.liars import Redater
from fiscotool.sim.liars_leading import LIARS

__all__ = ["LIARS", "Redater"]
