"""Which drill shows which mutant: the plain one, or one that brings about what the mutant gets wrong.

Most mutants act otherwise as soon as a leader is gone. The others need a liar that goes for just this (`devnet.byzantine`, `lying`,
`forging`), two of four down so that views must be found again, blocks that are prepared and not committed, weights that change.
"""

from __future__ import annotations

from typing import Final

from fiscotool.trials.drill import Drill

PLAIN: Final = Drill()

_NAMES: Final[dict[Drill, str]] = {
    Drill(victims=2, down_s=8.0, after_s=5.0): (
        "M28a M28b M30b M40a M40d N5 N9 N10 N11 fisco2-M19 fisco2-M28 fisco2-M29 classic-M19 classic-M28 classic-M32"
    ),
    Drill(nodes=5): "M4 M30a",
    Drill(nodes=7, victims=2): "M46a",
    Drill(act="all", down_s=3.0, after_s=3.0): "M40b M40c",
    Drill(act="turns", calm_s=1.5, down_s=4.0, after_s=3.0): "F10 M29 F14",
    Drill(act="weights", calm_s=1.5, down_s=4.0, after_s=4.0): "M44 N13 F9 F7 M7",
    Drill(act="heavier", byzantine="far-view", calm_s=1.5, down_s=4.0, after_s=3.0): "F8",
    Drill(act="none", byzantine="babble", calm_s=6.0, after_s=4.0): "M6 M10 M17 M20 M34 M35 FIB-127 FIB-133 H5 fisco2-H5",
    Drill(byzantine="impostor", calm_s=4.0): "fisco2-M12",
    Drill(byzantine="impostor", calm_s=3.0, down_s=6.0, after_s=4.0): "classic-M16",
    Drill(byzantine="parrot", calm_s=4.0): "classic-M6",
    Drill(byzantine="eager", calm_s=4.0, down_s=5.0): "F6",
    Drill(act="none", byzantine="equivocate", calm_s=6.0, after_s=4.0): "M8 fisco2-M8",
    Drill(act="none", byzantine="stutter", calm_s=5.0, after_s=4.0): "M11 classic-M11",
    Drill(act="none", byzantine="isolate", calm_s=16.0, after_s=8.0): "M12 M13 M14 M15 M33 N2 classic-M14",
    Drill(byzantine="saboteur", calm_s=3.0, down_s=9.0, after_s=6.0): "N4 N7 F11 N18 classic-M15 classic-N7 classic-N21",
    Drill(act="bystander", byzantine="drop-commits", calm_s=2.0, down_s=9.0, after_s=5.0): "N3",
    Drill(act="bystander", byzantine="drop-commits", calm_s=4.0, down_s=16.0, after_s=10.0): "M26",
    Drill(act="bystander", byzantine="saboteur", calm_s=3.0, down_s=9.0, after_s=6.0): "M16",
    Drill(act="pair", nodes=7, down_s=9.0): "fisco2-M32",
    Drill(idle_s=8.0): "fisco2-N19",
    Drill(byzantine="early", calm_s=5.0, down_s=6.0, after_s=6.0): "fisco2-N20",
    Drill(byzantine="gaps", period_blocks=4, calm_s=6.0, down_s=5.0, after_s=6.0): "M24",
    Drill(act="none", byzantine="rotten", calm_s=8.0, after_s=6.0): "F5 M50",
    Drill(act="none", byzantine="topmost", liars=2, calm_s=4.0, after_s=3.0): "F2",
    Drill(act="again", byzantine="fickle", calm_s=1.0, down_s=14.0, after_s=2.0): "M40c",
    Drill(act="follower", byzantine="redater", calm_s=2.0, down_s=9.0, after_s=3.0): "H4",
    Drill(act="none", byzantine="forge-signature", calm_s=3.0, after_s=2.0): "M23",
    Drill(act="none", byzantine="retype", calm_s=3.0, after_s=2.0): "FIB-134",
    Drill(act="none", byzantine="forge-empty", calm_s=3.0, after_s=3.0): "M42",
}

DRILLS: Final[dict[str, Drill]] = {name: drill for drill, names in _NAMES.items() for name in names.split()}
"""By mutant; the plain one for all others."""


def drill_for(name: str) -> Drill:
    """The drill of this mutant."""
    return DRILLS.get(name, PLAIN)
