"""The recording of a run: one JSON object a line, written as things happen. The format is described in docs/observer.md.

Rule 1. A line is written whole or, when the disk is full or the process dies, cut; a reader can use every line before it.
Rule 2. Times are seconds since the recording started, of the monotonic clock; the `run` line has the wall-clock time of second 0.
Rule 3. Nothing here interprets: what a node said is written as it said it, and computed with when the recording is loaded.
Rule 4. Lines come from several threads and are not in order of time; who reads sorts.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fiscotool.consistency.observations import Incarnation, RunInfo, TxSeen
from fiscotool.errors import EnvironmentFailure, UsageError
from fiscotool.observer.blocks import dump_json, words_of
from fiscotool.observer.loading import load_recording

__all__ = ["FORMAT", "RecordingWriter", "load_recording"]

FORMAT: Final = 1
"""Version of the format; a reader refuses nothing of a later one, it lists what it does not know."""
_ROUND: Final = 6


class RecordingWriter:
    """Writes a recording. Every method may be called from any thread; each returns when the line is with the operating system.

    A line that cannot be written (disk full) raises EnvironmentFailure and is counted in `lost_count`; later lines are tried again,
    and the first that succeeds is preceded by a note that says how many are missing.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self.path = path
        self.lost_count = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._is_torn = False
        self._unreported_count = 0
        self._has_ended = False
        self._words: set[str] = set()
        self._fd = _open_new(path)
        self.started_epoch_s = wall()
        self._began_s = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def now_s(self) -> float:
        """Seconds since the recording started."""
        return self._clock() - self._began_s

    def since_start(self, clock_s: float) -> float:
        """A reading of the writer's clock as seconds since the recording started."""
        return clock_s - self._began_s

    def run(self, info: RunInfo) -> None:
        """What is observed. The first line; its start times are filled in here."""
        started = datetime.fromtimestamp(self.started_epoch_s, UTC).isoformat(timespec="milliseconds")
        filled = replace(info, started_wall=info.started_wall or started, started_epoch_s=self.started_epoch_s)
        self._write({"kind": "run", "format": FORMAT, **asdict(filled)})

    def poll(
        self,
        node: str,
        sent_s: float,
        got_s: float,
        *,
        incarnation: Incarnation | None = None,
        error: str = "",
        values: dict[str, Any] | None = None,
    ) -> None:
        """One poll of one node. `values` are members of Sample by name; those that were not answered are left out."""
        line: dict[str, Any] = {"kind": "poll", "node": node, "sent_s": round(sent_s, _ROUND), "got_s": round(got_s, _ROUND)}
        if incarnation is not None:
            line |= {"pid": incarnation.pid, "started": incarnation.started}
        if error:
            line["error"] = error
        self._write(line | (values or {}))

    def block(self, node: str, seen_s: float, told: dict[str, Any]) -> None:
        """A block as `node` told it. Words another line has already are not written again but referred to."""
        words = words_of(told)
        line: dict[str, Any] = {"kind": "block", "node": node, "seen_s": round(seen_s, _ROUND), "words": words}
        with self._lock:
            is_new = words not in self._words
            self._write_locked(line | ({"block": told} if is_new else {"number": told.get("number")}))
            self._words.add(words)

    def tx(self, seen: TxSeen) -> None:
        """A transaction a client sent, with its outcome."""
        self._write({"kind": "tx", **{name: value for name, value in asdict(seen).items() if name != "line" and value not in (None, "")}})

    def event(self, node: str, at_s: float, event: str, values: dict[str, Any]) -> None:
        """A line of a node's log. `at_s` as seconds of the recording; `values` are members of EventSeen by name, those told."""
        self._write({"kind": "event", "node": node, "at_s": round(at_s, _ROUND), "event": event} | values)

    def fault_planned(self, fault_id: str, kind: str, node: str, *, role: str = "", detail: str = "") -> None:
        """A fault is about to be injected; written first, so that a crash leaves a trace of it."""
        self._fault("planned", fault_id, detail, fault=kind, node=node, role=role)

    def fault_injected(self, fault_id: str, *, confirmed: bool = True, detail: str = "") -> None:
        """The fault has taken effect, or (`confirmed` False) could not be seen to."""
        self._fault("injected", fault_id, detail, confirmed=confirmed)

    def fault_healed(self, fault_id: str, *, detail: str = "") -> None:
        """The repair is done."""
        self._fault("healed", fault_id, detail)

    def note(self, text: str) -> None:
        """A remark for people."""
        self._write({"kind": "note", "at_s": round(self.now_s(), _ROUND), "text": text})

    def end(self, reason: str = "") -> None:
        """The observation is over; a second call does nothing."""
        if not self._has_ended:
            self._write({"kind": "end", "at_s": round(self.now_s(), _ROUND), "reason": reason})
            self._has_ended = True

    def close(self) -> None:
        """Close the file; without `end` before, a reader knows that the observer died."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _fault(self, phase: str, fault_id: str, detail: str, **more: Any) -> None:
        line = {"kind": "fault", "phase": phase, "id": fault_id, "at_s": round(self.now_s(), _ROUND), **more}
        self._write(line | ({"detail": detail} if detail else {}))

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._write_locked(line)

    def _write_locked(self, line: dict[str, Any]) -> None:
        if self._fd < 0:
            raise UsageError(f"the recording {self.path} is closed")
        data = dump_json(line) + b"\n"
        if self._unreported_count:
            text = f"{self._unreported_count} lines before this one could not be written"
            note = dump_json({"kind": "note", "at_s": round(self.now_s(), _ROUND), "text": text, "lost_count": self._unreported_count})
            data = note + b"\n" + data
        if self._is_torn:
            data = b"\n" + data
        try:
            written_bytes = os.write(self._fd, data)
            while written_bytes < len(data):
                self._is_torn = True
                written_bytes += os.write(self._fd, data[written_bytes:])
        except OSError as problem:
            self.lost_count += 1
            self._unreported_count += 1
            raise _unwritable(self.path, problem) from problem
        self._is_torn = False
        self._unreported_count = 0


def _open_new(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise _unwritable(path, problem) from problem
    if os.fstat(descriptor).st_size:
        os.close(descriptor)
        raise UsageError(f"{path} exists and is not empty", hint="give another file name, or remove it: recordings are never overwritten")
    return descriptor


def _unwritable(path: Path, problem: OSError) -> EnvironmentFailure:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space; recording goes on when there is room again"
        return EnvironmentFailure(f"the recording {path} cannot be written: the disk is full ({problem.strerror})", hint=hint)
    return EnvironmentFailure(f"the recording {path} cannot be written: {problem.strerror}", hint="check the directory and its permissions")
