"""Where traces come from for the commands: logs of nodes, files of traces, simulated runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fiscotool.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:
    from fiscotool.check.trace import TraceContext, TraceVerdict
    from fiscotool.pbft.trace import TraceRecord
    from fiscotool.sim.cluster import Cluster
    from fiscotool.sim.settings import Settings
    from fiscotool.sim.tracing import Tracer

__all__ = ["TraceWriter", "read_evidence", "verdict_data", "verdict_text"]

SHOWN_MAX = 5


class TraceWriter:
    """Watches a simulated run and writes it as a trace."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self._settings = settings
        self._path = path
        self._tracer: Tracer | None = None

    def __call__(self, cluster: Cluster) -> None:
        """Listen to the cluster."""
        from fiscotool.sim.tracing import Tracer

        self._tracer = Tracer(cluster)
        cluster.listeners.append(self._tracer.on_step)

    def write(self) -> None:
        """Write what was heard. Raises EnvironmentFailure when that cannot be done, UsageError for a protocol without traces."""
        from fiscotool.check.trace import Members, TraceContext
        from fiscotool.check.trace_context import DIALECT_NAMES
        from fiscotool.check.trace_file import write_trace

        assert self._tracer is not None
        if self._settings.dialect not in DIALECT_NAMES:
            raise UsageError(f"there is no trace of {self._settings.dialect}", hint=f"traces are of {', '.join(DIALECT_NAMES)}")
        members = tuple(Members(since, weights, period) for since, (weights, period) in sorted(self._tracer.members.items()))
        faulty = frozenset(f"node{index}" for index, _ in self._settings.byzantine)
        dialect = self._settings.dialect
        context = TraceContext(members=members, dialect=dialect, faulty=faulty)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in write_trace(self._tracer.records, context))
        except OSError as problem:
            raise EnvironmentFailure(f"{self._path} cannot be written: {problem.strerror}", hint="choose another place") from problem


def read_evidence(
    paths: Sequence[Path], *, weights: tuple[int, ...] = (), faulty: frozenset[str] = frozenset()
) -> tuple[list[TraceRecord], TraceContext, tuple[str, ...]]:
    """The records of trace files and logs, what is known about the run, and notes for people. Raises UsageError for what is neither."""
    from fiscotool.check.trace_file import read_trace
    from fiscotool.observer.logs.collect import sources_of
    from fiscotool.observer.logs.evidence import evidence_of

    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or directory", hint="give logs, a directory of logs, or a trace (.jsonl)")
    traces = [path for path in paths if path.is_file() and path.suffix == ".jsonl"]
    if traces:
        if len(paths) > 1:
            raise UsageError("one trace is judged at a time", hint="give a single .jsonl file, or only logs")
        try:
            records, context = read_trace(traces[0].read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"{traces[0]} cannot be read: {problem}", hint="a trace is text, one JSON object a line") from problem
        except UsageError as problem:
            raise UsageError(f"{traces[0]}: {problem.message}", hint=problem.hint) from problem
        return records, replace(context, faulty=context.faulty | faulty), ()
    evidence = evidence_of(sources_of(paths), weights=weights, faulty=faulty)
    return evidence.records, evidence.context, evidence.notes


def verdict_data(verdict: TraceVerdict) -> dict[str, object]:
    """The verdict as plain data."""
    return {
        "verdict": verdict.verdict.value,
        "records": verdict.record_count,
        "breaches": [_breach(breach) for breach in verdict.breaches],
        "deviations": [_breach(breach) for breach in verdict.deviations],
        "lock_rules": {name: {"tested": tested, "broken": broken} for name, (tested, broken) in verdict.lock_rules.items()},
        "silent_steps": verdict.silent_count,
        "counters": {
            "acts": {act.value: count for act, count in sorted(verdict.counters.acts.items(), key=lambda item: item[0].value)},
            "guards": dict(sorted(verdict.counters.guards.items())),
            "failed": dict(sorted(verdict.counters.failed.items())),
            "premises": dict(sorted(verdict.counters.premises.items())),
            "margins": dict(sorted(verdict.counters.margins.items())),
        },
        "notes": list(verdict.notes),
        "lacks": [{"text": lack.text, "remedy": lack.remedy, "decisive": lack.is_decisive} for lack in verdict.lacks],
    }


def _breach(breach: object) -> dict[str, object]:
    from fiscotool.check.trace import Breach

    assert isinstance(breach, Breach)
    record = breach.record
    return {
        "rule": breach.rule,
        "guard": breach.guard,
        "replica": record.replica,
        "life": record.life,
        "sequence": record.sequence,
        "at_s": record.at_s,
        "act": record.act.value,
        "height": record.height,
        "view": record.view,
        "digest": record.digest,
        "text": breach.text,
        "need": breach.need,
        "have": breach.have,
        "enabled": [act.value for act in breach.enabled],
    }


def verdict_text(verdict: TraceVerdict) -> str:
    """The verdict for people: what was found first, by how much, and what the model had instead."""
    from fiscotool.check.trace_guards import GUARDS

    marks = {"violation": "✘", "consistent": "✔", "inconclusive": "?", "vacuous": "?"}
    word = verdict.verdict.value
    evaluated = sum(1 for count in verdict.counters.guards.values() if count)
    lines = [f"{marks[word]} {word}: {verdict.record_count} records, {evaluated} of {len(GUARDS)} guards put to the test"]
    for breach in verdict.breaches[:SHOWN_MAX]:
        lines += [f"  ✘ {breach.sentence}", f"      {GUARDS[breach.guard].says}"]
        if breach.enabled:
            lines.append(f"      possible here: {', '.join(act.value for act in breach.enabled)}")
    if len(verdict.breaches) > SHOWN_MAX:
        lines.append(f"  … and {len(verdict.breaches) - SHOWN_MAX} more (--json has them)")
    if verdict.deviations:
        lines.append("deviations that the other mode forbids:")
        by_guard: dict[str, list[str]] = {}
        for breach in verdict.deviations:
            by_guard.setdefault(breach.guard, []).append(breach.sentence)
        for guard, sentences in by_guard.items():
            more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
            lines.append(f"  · {sentences[0]}{more}; {GUARDS[guard].says}")
    for name, (tested, broken) in verdict.lock_rules.items():
        if tested:
            lines.append(f"lock rule {name}: put to the test {tested} times, broken {broken} times")
    if verdict.silent_count:
        lines.append(f"{verdict.silent_count} steps were assumed that no record tells")
    for lack in verdict.lacks[:SHOWN_MAX]:
        lines += [f"missing: {lack.text}", *([f"      to decide: {lack.remedy}"] if lack.is_decisive else [])]
    if len(verdict.lacks) > SHOWN_MAX:
        lines.append(f"  … and {len(verdict.lacks) - SHOWN_MAX} more (--json has them)")
    lines += [f"note: {note}" for note in verdict.notes]
    return "\n".join(lines)
