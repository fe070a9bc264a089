"""Prints `dialect seed sha256` of short runs: the pinned lines of hashes.txt. Run: python -m tests.sim.print_hashes 0 20 fisco3 fisco2 classic.

Imports nothing that is not in the standard library or in the core, so that any Python version can run it.
"""

from __future__ import annotations

import sys

from fiscotool.sim.run import simulate
from fiscotool.sim.settings import draw_settings

TICKS = 6_000


def lines(dialects: list[str], seeds: range) -> list[str]:
    """One line a run."""
    return [
        f"{dialect} {seed} {simulate(draw_settings(seed, dialect=dialect, ticks=TICKS)).log_sha256}"
        for dialect in dialects
        for seed in seeds
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(sys.argv[3:], range(int(sys.argv[1]), int(sys.argv[2])))) + "\n")
