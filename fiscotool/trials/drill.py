"""What a drill of an embedded chain is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ACT_NAMES: Final[dict[str, str]] = {
    "none": "load",
    "kill": "leaders are killed",
    "bystander": "one that does not lead is killed",
    "follower": "who would lead the next view is killed",
    "pair": "the leader and the next one are killed",
    "all": "all are killed at once, twice",
    "turns": "two are killed in turns",
    "weights": "weights change, the leader is killed",
    "heavier": "all weights become three, the leader is killed",
    "again": "the node that a leader speaks to alone is killed again and again",
}
"""For people."""


@dataclass(frozen=True, slots=True)
class Drill:
    """What is done to a chain; times are in seconds. All of it happens under load, but for the last `idle_s`.

    `act` is one of `acts.ACTS`: what happens between `calm_s` of quiet and `after_s` of it. `byzantine` is how the last `liars` nodes lie;
    `only` are the nodes with the mutant, all when empty.
    """

    act: str = "kill"
    byzantine: str = ""
    liars: int = 1
    victims: int = 1
    calm_s: float = 2.0
    down_s: float = 4.5
    after_s: float = 3.5
    nodes: int = 4
    period_blocks: int = 1
    only: tuple[str, ...] = ()
    idle_s: float = 0.0

    def told(self) -> str:
        """The drill for people."""
        who = "one node is" if self.liars == 1 else f"{self.liars} nodes are"
        lies = f", {who} {self.byzantine}" if self.byzantine else ""
        period = f", a leader stays {self.period_blocks} blocks" if self.period_blocks > 1 else ""
        acts = {"kill": f"{self.victims} killed for {self.down_s:g} s", "none": f"{self.calm_s + self.after_s:g} s of load"}
        idle = f", then {self.idle_s:g} s without" if self.idle_s else ""
        return f"{self.nodes} nodes{lies}{period}: {acts.get(self.act, ACT_NAMES[self.act])}{idle}"
