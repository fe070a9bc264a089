"""Edits clean traces in ways that a judge must reject, and says how many it does: the table in docs/explaining.md.

python scripts/edit_traces.py                                       simulated runs of 3.x only: `make edits`
python scripts/edit_traces.py --logs DIR --edits 1000 --seeds 0..0  logs of nodes, embedded or real, as well

Ends with 1 when less than 99.5 % of the edits that must be rejected are, and prints some of those that were not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fiscotool.check.edits import Clean
from fiscotool.check.edits_survey import Survey, survey
from fiscotool.check.trace import Members, TraceContext, Verdict, check_trace
from fiscotool.pbft.dialects import DIALECTS
from fiscotool.pbft.trace import TraceRecord
from fiscotool.sim import faults
from fiscotool.sim.cluster import Cluster
from fiscotool.sim.schedule import plan, play
from fiscotool.sim.settings import draw_settings
from fiscotool.sim.tracing import Tracer

GOAL = 0.995
SHOWN_MAX = 10
TICKS = 800
Source = tuple[Clean, Callable[[Sequence[TraceRecord]], bool]]


def judged_in(context: TraceContext) -> Callable[[Sequence[TraceRecord]], bool]:
    """Whether the judge finds records a run."""
    return lambda records: check_trace(records, context=context).verdict is not Verdict.VIOLATION


def simulated(first: int, last: int, cpu_s: float, dialect: str = "fisco3") -> Iterator[Source]:
    """Runs of the seeds, with crashes, partitions and loss, without liars: a liar's records bind nobody. None after `cpu_s`."""
    for seed in range(first, last):
        if time.process_time() > cpu_s:
            return
        settings = draw_settings(seed, dialect=dialect, byzantine=(), ticks=TICKS)
        cluster = Cluster(settings.rules, seed=seed, weather=settings.weather, pace=settings.pace, dialect=DIALECTS[dialect])
        tracer = Tracer(cluster)
        cluster.listeners.append(tracer.on_step)
        cluster.start()
        play(cluster, plan(settings), settings.ticks)
        faults.recover(cluster, blocks=2, dead=settings.dead)
        context = TraceContext(members=(Members(0, settings.weights, settings.leader_period_blocks),), dialect=dialect)
        clean = Clean(tracer.records, settings.weights, period_blocks=settings.leader_period_blocks, dialect=dialect)
        yield clean, judged_in(context)


def logged(paths: Sequence[Path]) -> Iterator[Source]:
    """Logs of nodes, one directory a chain."""
    from fiscotool.observer.logs.collect import sources_of
    from fiscotool.observer.logs.evidence import evidence_of

    for path in paths:
        evidence = evidence_of(sources_of([path]))
        members = evidence.context.members[0]
        # Edits are of a trace that tells everything: no step may be assumed that nobody told, and no report ends early.
        context = replace(evidence.context, missing_max=0, ends_open=False)
        dialect = evidence.context.dialect
        yield Clean(evidence.records, members.weights, period_blocks=members.leader_period_blocks, dialect=dialect), judged_in(context)


def main() -> int:
    """See the beginning of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0..200", help="simulated runs, the last seed excluded")
    parser.add_argument("--dialects", nargs="*", default=["fisco3", "fisco2", "classic"], choices=["fisco3", "fisco2", "classic"])
    parser.add_argument("--edits", type=int, default=65, help="edits a trace, about")
    parser.add_argument("--cpu-s", type=float, default=1e9, help="begin no simulated run after so much CPU time")
    parser.add_argument("--logs", type=Path, nargs="*", default=[], help="directories of nodes' logs")
    asked = parser.parse_args()
    first, last = (int(part) for part in asked.seeds.split(".."))
    began_s, found = time.process_time(), Survey()
    for number, dialect in enumerate(asked.dialects, start=1):
        limit_s = began_s + asked.cpu_s * number / len(asked.dialects)
        survey(simulated(first, last, limit_s, dialect), edits_a_trace=asked.edits, into=found)
    # What logs' clocks may differ by is in every record and in the context; shifts are counted against it twice over.
    survey(logged(asked.logs), edits_a_trace=asked.edits, into=found, slack_s=0.1)
    lines = [
        *found.lines(),
        "",
        f"seeds {asked.seeds}, {len(asked.logs)} chains' logs; {time.process_time() - began_s:.0f} s CPU",
    ]
    for edit in found.missed[:SHOWN_MAX]:
        record = next(each for each in edit.records if each.replica == edit.replica)
        lines.append(f"accepted: {edit.operator} at {edit.replica}, place {edit.place} of its records from life {record.life}: {edit.why}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found.rejected >= GOAL * found.must_reject else 1


if __name__ == "__main__":
    sys.exit(main())
