"""Which drill shows which mutant: the plain one, or one that brings about what the mutant gets wrong.

A node that never commits, with another one killed, leaves blocks prepared and not committed, so views change with certificates. With
two of four down views cannot change, and must be found again. A chain that stands still is found out only after a while.
"""

from __future__ import annotations

from typing import Final

from fiscotool.trials.embedded import Drill

PLAIN: Final = Drill()
LOCKED: Final = Drill(byzantine="drop-commits", calm_s=1.5, down_s=8.0, after_s=4.0)
LYING: Final = Drill(byzantine="equivocate", calm_s=4.0, down_s=0.0, victims=0, after_s=4.0)
FORGING: Final = Drill(byzantine="forge-block", calm_s=2.0, down_s=4.0, after_s=4.0)
TWO: Final = Drill(victims=2, calm_s=2.0, down_s=9.0, after_s=6.0)
FIVE: Final = Drill(nodes=5)
LONG: Final = Drill(calm_s=3.0, down_s=6.0, after_s=24.0)
STUTTER: Final = Drill(byzantine="stutter", calm_s=4.0, down_s=0.0, victims=0, after_s=3.0)
FAR: Final = Drill(byzantine="far-view", calm_s=2.0, down_s=6.0, after_s=4.0)
USURP: Final = Drill(byzantine="usurp", calm_s=2.0, down_s=9.0, after_s=4.0)

_NAMES: Final[dict[Drill, str]] = {
    LOCKED: "M12 M13 M14 M15 M17 M20 M24 M26 N2 N3 N4 N7 N12 N18 H4 H5 M40b M40c classic-M14 classic-M15 classic-N7",
    LYING: "M1 M2 M6 M7 M8 M10 N1 N13 N14 M23 FIB-134 fisco2-M8 M34 M35 F5 classic-M1 classic-M6",
    TWO: "M28a M28b M30a M30b N5 N9 M40a M40d N10 N11 F6 fisco2-M28 fisco2-M19 classic-M28 classic-M32 classic-M40",
    FIVE: "M4",
    FORGING: "M42 FIB-127",
    LONG: "N6 N15 N16 N17 M33 M38 F14 F16a F16b F16c M46a M37 M50 N8",
    STUTTER: "M11 classic-M11",
    FAR: "M21 F2 fisco2-M21 classic-N21",
    USURP: "M16 classic-M16",
}

DRILLS: Final[dict[str, Drill]] = {name: drill for drill, names in _NAMES.items() for name in names.split()}
"""By mutant; the plain one for all others."""


def drill_for(name: str) -> Drill:
    """The drill of this mutant."""
    return DRILLS.get(name, PLAIN)
