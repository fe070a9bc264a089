"""States a second of the explorer: the packed walk against the plain one, and the largest row of the exam that fits into a minute.

    python bench/explorer.py [--full]

CPU time of one process. The plain walk is what a straightforward transcription costs in the same interpreter; `--full` adds the row with
106,560,397 generated states.
"""

from __future__ import annotations

import argparse
import resource
import time

from fiscotool.check.explore import explore
from fiscotool.check.fisco3_bounds import Limits
from fiscotool.check.fisco3_packed import PackedFisco3
from fiscotool.check.fisco3_rounds import RoundWalk
from fiscotool.check.fisco3_sweep import sweep
from fiscotool.check.howard import Howard
from fiscotool.check.howard_packed import PackedHoward
from fiscotool.check.howard_terms import Bounds
from fiscotool.check.kernel import compare, explore_compiled
from fiscotool.check.kernel_loops import KernelMissing
from fiscotool.check.packed import explore_packed

ALL = frozenset(range(4))


def measure(bounds: Bounds, *, is_packed: bool) -> float:
    """Prints one row; returns distinct states a second."""
    began_s = time.process_time()
    found = explore_packed(PackedHoward(bounds)) if is_packed else explore(Howard(bounds))
    spent_s = time.process_time() - began_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{'packed' if is_packed else 'plain ':6} tstamps 1..{bounds.tstamps} views 0..{bounds.view_max} acc {sorted(bounds.acc)}: "
        f"{found.generated:>11,} generated, {found.distinct:>9,} distinct, depth {found.depth}, {spent_s:6.2f} s: "
        f"{found.generated / spent_s:>11,.0f} generated/s {found.distinct / spent_s:>9,.0f} distinct/s, at most {peak_mib} MiB"
    )
    return found.distinct / spent_s


def measure_fisco3(limits: Limits, states_max: int) -> None:
    """Our own model with agreement asked of every state: its first levels."""
    model = PackedFisco3(limits)
    began_s = time.process_time()
    found = explore_packed(model, model.agrees, states_max=states_max)
    spent_s = time.process_time() - began_s
    print(
        f"fisco3 heights 1..{limits.heights} views 0..{limits.view_max} byzantine {limits.byzantine} crashes {limits.crashes}: "
        f"{found.distinct:,} distinct in {found.depth} levels, {spent_s:.2f} s: {found.distinct / spent_s:,.0f} distinct/s"
    )


def measure_sweep(limits: Limits) -> None:
    """Our own model view by view, complete."""
    began_s = time.process_time()
    found = sweep(limits)
    spent_s = time.process_time() - began_s
    print(
        f"sweep  heights 1..{limits.heights} views 0..{limits.view_max} byzantine {limits.byzantine}: {found.distinct:,} distinct, "
        f"{found.generated:,} generated, {spent_s:.2f} s: {found.distinct / spent_s:,.0f} distinct/s"
    )


def measure_rounds(limits: Limits) -> None:
    """Our own model round by round, complete."""
    began_s = time.process_time()
    found = RoundWalk(limits).run()
    spent_s = time.process_time() - began_s
    print(
        f"rounds heights 1..{limits.heights} views 0..{limits.view_max} byzantine {limits.byzantine}: {found.distinct:,} between rounds, "
        f"{found.generated:,} generated, {spent_s:.2f} s"
    )


def measure_compiled(bounds: Bounds) -> None:
    """The compiled walk of a row, compiled before, and whether it counted like the interpreted one."""
    try:
        explore_compiled(PackedHoward(Bounds(1, 0, frozenset({0}))), width=PackedHoward(bounds).width)
    except KernelMissing as error:
        print(f"compiled: {error}")
        return
    model = PackedHoward(bounds)
    began_s = time.process_time()
    found = explore_compiled(model, width=model.width)
    spent_s = time.process_time() - began_s
    differs = compare(explore_packed(PackedHoward(bounds)), found)
    print(
        f"compiled acc {sorted(bounds.acc)}: {found.distinct:,} distinct, {spent_s:.2f} s: {found.generated / spent_s:,.0f} generated/s "
        f"{found.distinct / spent_s:,.0f} distinct/s; {differs or 'every level and action as interpreted'}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    for bounds in (Bounds(1, 1, frozenset({1})), Bounds(2, 1, frozenset())):
        ratio = measure(bounds, is_packed=True) / measure(bounds, is_packed=False)
        print(f"       packed / plain: {ratio:.1f}")
    for bounds in (Bounds(1, 1, frozenset({0, 1})), Bounds(2, 0, frozenset({0, 1})), Bounds(1, 3, frozenset())):
        measure(bounds, is_packed=True)
    for crashes in (0, 1):
        measure_fisco3(Limits(heights=2, view_max=2, byzantine=1, crashes=crashes), 150_000)
    measure_rounds(Limits(heights=2, view_max=2 if arguments.full else 1, byzantine=1, open_views=True))
    measure_sweep(Limits(view_max=2, byzantine=0))
    measure_compiled(Bounds(1, 0, frozenset({0, 1, 2})))
    if arguments.full:
        measure_compiled(Bounds(1, 0, ALL))
        measure(Bounds(1, 0, ALL), is_packed=True)


if __name__ == "__main__":
    main()
