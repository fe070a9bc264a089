"""How fast whole chains are simulated: decisions and message events a second of CPU time, by group size and dialect.

A perfect network (delay 1 to 3 ticks), transactions always waiting. `judged` runs show every step to the properties, as
`fiscotool simulate` does; `bare` runs do not. Prints one greppable line a configuration.
Run: python bench/simulator.py [seconds of CPU time a configuration]
"""

from __future__ import annotations

import sys
import time

from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.rules import Rules
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.network import Weather
from fiscotool.sim.world import Pace


def measure(dialect: str, node_count: int, budget_s: float, *, is_judged: bool) -> str:
    """One line with the figures of about `budget_s` seconds of CPU time, at least two blocks."""
    cluster = Cluster(Rules((1,) * node_count), seed=1, dialect=DIALECTS[dialect], weather=Weather(1, 3), pace=Pace(seal_ticks=1))
    cluster.steps_max = 10**12
    if not is_judged:
        cluster.history = None
    cluster.start()
    cluster.run(5_000)
    height, steps, messages = max(cluster.heights), cluster.step_count, sum(cluster.message_counts.values())
    began_s = time.process_time()
    number = 0
    while time.process_time() - began_s < budget_s or max(cluster.heights) < height + 2:
        cluster.submit(*(f"t{number}.{k}" for k in range(12)))
        number += 1
        cluster.run(100)
    spent_s = time.process_time() - began_s
    blocks = max(cluster.heights) - height
    assert not cluster.violations
    sent = sum(cluster.message_counts.values()) - messages
    return (
        f"simulator dialect={dialect} nodes={node_count} mode={'judged' if is_judged else 'bare'} blocks={blocks} "
        f"decisions_per_s={blocks / spent_s:.0f} s_per_decision={spent_s / blocks:.4f} "
        f"messages_per_s={sent / spent_s:.0f} steps_per_s={(cluster.step_count - steps) / spent_s:.0f}"
    )


def main() -> None:
    """All configurations."""
    budget_s = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    for node_count in (4, 7, 16, 64, 128):
        for is_judged in (True, False):
            print(measure("fisco3", node_count, budget_s, is_judged=is_judged), flush=True)
    for dialect in ("fisco2", "classic"):
        print(measure(dialect, 4, budget_s, is_judged=True), flush=True)


if __name__ == "__main__":
    main()
