"""Lives as they were written down: the lines of trace files, decoded one by one, and what of them can be relied on.

Rule 1. A file is one life of one node: its first line is the birth (`pbft.codec_life`). Lives of a node are ordered by their beginnings.
Rule 2. Nothing in a file can stop the judge. A last line that is cut off is how a killed process ends. Lines that are no records are
        counted and skipped; whether a step is lost with them shows in the numbers of the steps.
Rule 3. From the first lost step on a life is not judged, but what it tells is taken note of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson

from fiscotool.pbft.codec_back import CodecError
from fiscotool.pbft.codec_life import Birth, End, LifeDecoder, Step, Synced

__all__ = ["Life", "TraceFile", "lives_of"]


@dataclass(frozen=True, slots=True)
class TraceFile:
    """One life's file: the node it is of, by the name people use, and its lines, with or without line ends."""

    node: str
    lines: Sequence[bytes]


@dataclass(slots=True)
class Life:
    """One life. `number` counts the lives of its node from 0; `birth` is None when the file does not begin with one."""

    node: str
    number: int
    birth: Birth | None
    lines: Sequence[bytes]
    is_ended: bool = False
    """Whether the process stopped in order, as far as `records` was read."""
    is_whole: bool = True
    """Whether no step is lost, as far as `records` was read."""
    bad_lines: int = 0
    bad_text: str = ""
    """What is wrong with the first of them."""
    steps: int = 0
    _next: int = field(default=0)

    @property
    def title(self) -> str:
        """`node0` or, where there is more than one life, `node0 (life 1)` counted from 0."""
        return f"{self.node} (life {self.number})"

    def records(self) -> Iterator[Step | Synced]:
        """The records after the birth, decoded. Each call reads from the beginning."""
        self.is_ended, self.is_whole, self.bad_lines, self.steps, self._next = False, self.birth is not None, 0, 0, 0
        decode = LifeDecoder()
        last = len(self.lines) - 1
        for place, line in enumerate(self.lines):
            try:
                record = decode(orjson.loads(line))
            except (orjson.JSONDecodeError, CodecError, RecursionError) as problem:
                if line.strip() and not (place == last and not line.endswith(b"\n")):
                    self.bad_lines += 1
                    self.bad_text = self.bad_text or f"line {place + 1}: {str(problem)[:160]}"
                continue
            if type(record) is Step:
                self.is_whole = self.is_whole and record.sequence == self._next
                self._next = record.sequence + 1
                self.steps += 1
                yield record
            elif isinstance(record, Synced):
                yield record
            elif isinstance(record, End):
                self.is_ended = True
                self.is_whole = self.is_whole and record.steps == self._next


def _birth(lines: Sequence[bytes]) -> tuple[Birth | None, str]:
    """The birth in the first line, or why there is none."""
    try:
        record = LifeDecoder()(orjson.loads(lines[0])) if lines else None
    except (orjson.JSONDecodeError, CodecError, RecursionError) as problem:
        return None, str(problem)[:160]
    return (record, "") if isinstance(record, Birth) else (None, "the first line is no birth")


def lives_of(files: Iterable[TraceFile]) -> dict[str, list[Life]]:
    """The lives of each node, in order. A file without a birth is a life at the end of its node's."""
    found: dict[str, list[Life]] = {}
    for file in files:
        birth, why = _birth(file.lines)
        found.setdefault(file.node, []).append(Life(file.node, 0, birth, file.lines, bad_text="" if birth else f"line 1: {why}"))
    for lives in found.values():
        lives.sort(key=lambda life: (life.birth is None, life.birth.started_ms if life.birth else 0))
        for number, life in enumerate(lives):
            life.number = number
    return dict(sorted(found.items()))
