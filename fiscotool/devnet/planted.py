"""A node with a mutant in it (`[fiscotool] mutant=NAME`): for research, and to show that those who judge a chain notice.

A mutant is one wrong thing in a replica that is otherwise right (`fiscotool.mutants`). It is loaded only when it is asked for, is in force
for the life of the process, and is told in the log: whoever finds the chain odd shall know why.
"""

from __future__ import annotations

from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.settings import Settings
from fiscotool.pbft.dialects import DIALECTS, Dialect

__all__ = ["announce_mutant", "dialect_of"]


def dialect_of(settings: Settings) -> Dialect:
    """What this node's driver runs. With a mutant: planted, for good."""
    dialect = DIALECTS[settings.protocol]
    if not settings.mutant:
        return dialect
    from fiscotool.mutants.plant import settle_in
    from fiscotool.mutants.registry import MUTANTS

    mutant = MUTANTS[settings.mutant]
    return dialect if mutant.wire_switch else settle_in(dialect, mutant)


def announce_mutant(node_log: NodeLog, name: str) -> None:
    """The banner in the log; nothing for a node without one."""
    if not name:
        return
    from fiscotool.mutants.registry import MUTANTS

    title = MUTANTS[name].title
    node_log.warning("FISCOTOOL][MUTANT", f"######## this node carries a planted bug: {name}, {title} ########", mutant=name)
