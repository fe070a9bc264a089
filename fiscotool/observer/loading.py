"""Reading a recording, whatever state it is in: cut off, interleaved, out of order, with lines nobody understands.

Rule 1. A line that cannot be used is a problem in words with its number; it never stops the others.
Rule 2. Only the first run is read. Lines after a second, different `run` line have another second 0 and are left out, with a problem.
Rule 3. A value of the wrong type counts as not answered.
Rule 4. What was lost is said: a missing `run` or `end`, a block whose words are on a line that is gone, notes on lines never written.

Files ending in .xz and .gz are read as such. The format is described in docs/observer.md.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from fiscotool.consistency.observations import (
    LEADER_STAYS_BLOCKS,
    EventSeen,
    NodeIdentity,
    Observations,
    RunInfo,
    Sample,
    TxSeen,
)
from fiscotool.errors import UsageError
from fiscotool.observer.blocks import BlockReader, ToldBlock, are_of_classic, words_of
from fiscotool.observer.lines import (
    FaultLine,
    UnusableLine,
    event_of,
    fault_line_of,
    faults_of,
    run_info_of,
    sample_of,
    seconds,
    told_block_of,
    tx_of,
)
from fiscotool.rpc.codec import load_json

_PROBLEMS_MAX: Final = 200
_TEXT_CHARS_MAX: Final = 60


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    run: RunInfo | None = None
    run_line: int = 0
    samples: list[Sample] = field(default_factory=list)
    told: list[tuple[ToldBlock, int | None]] = field(default_factory=list)
    txs: list[TxSeen] = field(default_factory=list)
    faults: list[FaultLine] = field(default_factory=list)
    events: list[EventSeen] = field(default_factory=list)
    ended_s: float | None = None
    problems: list[str] = field(default_factory=list)
    usable_count: int = 0
    unknown_kinds: dict[str, int] = field(default_factory=dict)
    is_past_first_run: bool = False
    left_out_count: int = 0


def load_recording(path: Path) -> Observations:
    """The observations in the recording at `path`. Raises UsageError when the file cannot be read or holds nothing of a recording."""
    reading = _Reading()
    try:
        with _open(path) as stream:
            for number, raw in _lines(stream, reading):
                _take(reading, number, raw)
    except (OSError, EOFError, lzma.LZMAError) as problem:
        if not reading.usable_count:
            raise UsageError(f"{path} cannot be read: {problem}", hint="give the path of a recording (*.jsonl)") from problem
        reading.problems.append(f"the file ends early: {problem}")
    if not reading.usable_count:
        raise UsageError(f"{path} is not a recording: no line says anything", hint="make one: fiscotool observe --out run.jsonl")
    return _finish(reading)


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".xz":
        return cast("BinaryIO", lzma.open(path, "rb"))
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")


def _lines(stream: BinaryIO, reading: _Reading) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(stream, start=1):
        if raw.strip():
            if not raw.endswith(b"\n"):
                reading.problems.append(f"line {number}: it has no end; the observer was cut off while it wrote")
            yield number, raw


def _take(reading: _Reading, number: int, raw: bytes) -> None:
    try:
        line = load_json(raw)
    except ValueError:
        shown = raw[:_TEXT_CHARS_MAX].decode("utf-8", "replace").rstrip()
        reading.problems.append(f"line {number}: not JSON: {shown!r}")
        return
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
        reading.problems.append(f"line {number}: no object with a kind")
        return
    if reading.is_past_first_run:
        reading.left_out_count += 1
        return
    try:
        is_known = _take_kind(reading, number, line)
    except UnusableLine as problem:
        reading.problems.append(f"line {number}: {line['kind']}: {problem}")
        return
    if is_known:
        reading.usable_count += 1
    else:
        reading.unknown_kinds[line["kind"]] = reading.unknown_kinds.get(line["kind"], 0) + 1


def _take_kind(reading: _Reading, number: int, line: dict[str, Any]) -> bool:
    match line["kind"]:
        case "poll":
            reading.samples.append(sample_of(line, number))
        case "block":
            reading.told.append(told_block_of(line, number))
        case "tx":
            reading.txs.append(tx_of(line, number))
        case "fault":
            reading.faults.append(fault_line_of(line, number))
        case "event":
            reading.events.append(event_of(line, number))
        case "run":
            _take_run(reading, number, line)
        case "note":
            if type(line.get("lost_count")) is int:
                reading.problems.append(f"line {number}: {line['lost_count']} lines before it could not be written (disk full)")
        case "end":
            reading.ended_s = max(seconds(line, "at_s"), reading.ended_s or 0.0)
        case _:
            return False
    return True


def _take_run(reading: _Reading, number: int, line: dict[str, Any]) -> None:
    run = run_info_of(line)
    if reading.run is None:
        reading.run, reading.run_line = run, number
    elif run == reading.run:
        raise UnusableLine(f"the run of line {reading.run_line} is told a second time")
    else:
        reading.is_past_first_run = True
        raise UnusableLine(f"another run begins here (the first is of line {reading.run_line}); what follows is left out: split the file")


def _finish(reading: _Reading) -> Observations:
    faults, fault_problems = faults_of(reading.faults)
    problems = reading.problems + fault_problems
    problems += [f"{count} lines of the unknown kind {kind!r}" for kind, count in sorted(reading.unknown_kinds.items())]
    if reading.left_out_count:
        problems.append(f"{reading.left_out_count} lines of another run were left out")
    told = _resolved(reading.told, problems)
    run = reading.run
    if run is None:
        names = dict.fromkeys([sample.node for sample in reading.samples] + [block.node for block in told])
        run = RunInfo(nodes=tuple(NodeIdentity(name, "") for name in names))
        problems.append("there is no run line: nodes are known by name only, the protocol's parameters are the defaults")
    if run.protocol == "fisco3" and are_of_classic(told):
        run = replace(run, protocol="classic", leader_period_blocks=LEADER_STAYS_BLOCKS)
    if reading.ended_s is None:
        problems.append("there is no end line: the observer stopped before it had asked every node for every block")
    if len(problems) > _PROBLEMS_MAX:
        problems = [*problems[:_PROBLEMS_MAX], f"and {len(problems) - _PROBLEMS_MAX} more"]
    return Observations(
        run=run,
        samples=tuple(sorted(reading.samples, key=lambda sample: (sample.sent_s, sample.line))),
        blocks=tuple(sorted(BlockReader().read_all(told), key=lambda block: (block.seen_s, block.line))),
        txs=tuple(sorted(reading.txs, key=lambda tx: (tx.sent_s, tx.line))),
        faults=tuple(sorted(faults, key=lambda fault: (fault.injected_s, fault.line))),
        ended_s=reading.ended_s,
        problems=tuple(problems),
        events=tuple(sorted(reading.events, key=lambda event: (event.at_s, event.line))),
    )


def _resolved(told: list[tuple[ToldBlock, int | None]], problems: list[str]) -> list[ToldBlock]:
    """The blocks with the words filled in that stand on another line, under names computed from what was read."""
    told_by_name: dict[str, dict[str, Any]] = {}
    for block, _ in told:
        if block.told:
            told_by_name.setdefault(block.words, block.told)
    found: list[ToldBlock] = []
    for block, number in told:
        words = block.told or told_by_name.get(block.words)
        if words:
            found.append(replace(block, told=words, words=words_of(words)))
        else:
            problems.append(f"line {block.line}: block {number} of {block.node} refers to words on a line that is lost")
    return found
