"""Writes what nodes' logs say into a recording, while it is made.

Rule 1. Only what is told from the recording's start on, and only the kinds a timeline shows or the judge of traces takes.
Rule 2. Times are the node's clock on the recording's scale; nodes and observer share a host, or their clocks are taken as equal.
Rule 3. The recording matters more than the logs in it: a log that cannot be read, or a line that cannot be written, stops nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fiscotool.errors import EnvironmentFailure
from fiscotool.observer.logs.events import MAIN_KINDS, Kind, LogEvent
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.tail import LogTail
from fiscotool.observer.logs.trace import ACTS
from fiscotool.observer.recording import RecordingWriter

__all__ = ["LogRecorder"]

_LOOK_EVERY_S: Final = 0.5
_JOIN_S: Final = 10.0
_TEXT_CHARS_MAX: Final = 400
_WITH_TEXT: Final = frozenset({Kind.UNKNOWN, Kind.CONFLICT, Kind.BAD_SIGNATURE, Kind.WRITE_FAILED, Kind.EXECUTION_FAILED})


class LogRecorder:
    """Follows the log directories of nodes in a thread of its own. `lost_count`: lines the disk had no room for."""

    def __init__(self, directories: Mapping[str, Path], writer: RecordingWriter) -> None:
        self.lost_count = 0
        self._writer = writer
        skip = frozenset(Kind) - MAIN_KINDS - ACTS.keys()
        since_s = writer.started_epoch_s
        self._logs = [(LogTail(directory, since_s=since_s), LogParser(node, skip=skip)) for node, directory in directories.items()]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def start(self) -> None:
        """Begin to read; without directories there is nothing to do."""
        if self._logs:
            self._thread.start()

    def stop(self) -> None:
        """Read what is there, and end."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._is_over.wait(_LOOK_EVERY_S)
            for tail, parser in self._logs:
                for _, lines in tail.new_lines():
                    for event in parser.parse(lines):
                        self._record(event)

    def _record(self, event: LogEvent) -> None:
        at_s = event.at_s - self._writer.started_epoch_s
        if at_s < 0:
            return
        try:
            self._writer.event(event.node, at_s, event.kind.value, _values(event))
        except EnvironmentFailure:
            self.lost_count += 1


def _values(event: LogEvent) -> dict[str, Any]:
    values: dict[str, Any] = {
        "height": event.height,
        "view": event.view,
        "to_view": event.state.to_view if event.state is not None else None,
        "digest": event.digest or None,
        "sender": event.sender,
        "weight": event.weight,
        "own_index": event.own,
        "own_view": event.state.view if event.state is not None else None,
        "head": event.state.head if event.state is not None else None,
        "change_cycle": event.state.change_cycle if event.state is not None else None,
        "text": event.message[:_TEXT_CHARS_MAX] if event.kind in _WITH_TEXT else None,
    }
    return {name: value for name, value in values.items() if value is not None}
