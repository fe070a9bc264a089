"""The specifications that `model check` knows, and how another one plugs in.

A specification is a module of this package, `cli/model_<name>.py`, with two functions:

    walk(output, options) -> Walked     builds its bounds from the options, walks (check.packed, check.explore, or its own), and says what
                                        those bounds make impossible, so that "never reached" can be told apart from it
    names() -> set[str]                 every action, guard and goal that its walks count: what `--allow-never` may name

and a line in `SPECS` here: its name, what it is, and which options of `model check` it takes. `options` has every option by the name of its
parameter, None, False or () where it was not given; `--views`, `--states`, `--allow-never`, `--svg` and `--json` belong to all, the
others are refused with a usage error unless the line names them. The helps of the options name the specifications that take them.
What walks share (ranges, progress, limits of states and memory, `Walked`) is in `cli.model_walks`.

A model for `check.packed` has `initial`, `parts`, `mask`, `moves`, `explain`, `actions`, `guards`; one for `check.explore` has `initial`,
`successors`, `render`, `actions`. A name in `SPECS` costs nothing until it is asked for: its module is imported then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fiscotool.cli.model_walks import Walked
    from fiscotool.cli.output import Output

OF_PROTOCOLS: Final = frozenset({"heights", "byzantine", "crashes", "holes", "quorum", "no_symmetry", "asks_progress", "sweeps"})
"""What a protocol of blocks usually takes."""

OF_DIALECTS: Final = OF_PROTOCOLS - {"sweeps", "asks_progress"} | {"method"}
"""Where a walk ends without a sweep, and a plain model counts beside the packed one."""


@dataclass(frozen=True)
class Spec:
    """One line of the table. `takes`: parameters of `model check` that are its own; `module`: see the head of this file."""

    name: str
    says: str
    takes: frozenset[str]
    module: str

    def walk(self, output: Output, options: dict[str, Any]) -> Walked:
        """Walks it as the options say."""
        walk: Callable[[Output, dict[str, Any]], Walked] = import_module(self.module).walk
        return walk(output, options)

    def names(self) -> set[str]:
        """All that its walks count."""
        names: Callable[[], set[str]] = import_module(self.module).names
        return names()


SPECS: Final = {
    spec.name: spec
    for spec in (
        Spec(
            "howard",
            "a small published PBFT specification, the exam of the engine",
            frozenset({"tstamps", "acc", "checkpoints", "unrepaired", "commit_quorum", "invariants", "method", "replicas", "reduced"}),
            "fiscotool.cli.model_howard",
        ),
        Spec("fisco3", "FISCO BCOS 3.x", OF_PROTOCOLS | {"open_views", "rounds", "leaves"}, "fiscotool.cli.model_fisco3"),
        Spec("fisco2", "FISCO BCOS 2.x", OF_DIALECTS | {"asks_progress"}, "fiscotool.cli.model_fisco2"),
        Spec("classic", "PBFT as published", OF_DIALECTS, "fiscotool.cli.model_classic"),
    )
}


def takers(parameter: str) -> str:
    """Which specifications take an option, for its help."""
    return ", ".join(spec.name for spec in SPECS.values() if parameter in spec.takes)


def foreign_to(spec: Spec) -> frozenset[str]:
    """Parameters that are other specifications' own."""
    return frozenset(name for other in SPECS.values() for name in other.takes) - spec.takes
