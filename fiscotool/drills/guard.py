"""The ledger of faults: written before a fault is injected, so that whatever a drill broke can be healed by anyone later.

Rule 1. A line is on disk (fsync) before its fault happens. A fault without a `healed` line is open.
Rule 2. `FaultGuard` heals everything it injected when it is left, by success, error or Ctrl-C, and a second Ctrl-C cannot stop that.
Rule 3. What a crash (SIGKILL, power loss) of the tool itself leaves open, `fiscotool drill heal` and the next drill close.
Rule 4. One drill a chain at a time: a lock on the ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from fiscotool.drills.fault import Fault, heal, inject
from fiscotool.drills.target import Target
from fiscotool.errors import EnvironmentFailure, FiscoToolError

LEDGER_NAME = "faults.jsonl"


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A fault that was announced and not healed. `pid` and `started` name the process it was meant for."""

    fault_id: str
    kind: str
    node: str
    drill: str
    when: str
    pid: int | None
    started: float | None


class FaultLedger:
    """`<chain>/.fiscotool/faults.jsonl`, append-only."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / LEDGER_NAME
        self._is_held = False

    def append(self, entry: dict[str, Any]) -> None:
        """Add a line and make it durable. Raises EnvironmentFailure when the disk refuses: then no fault may be injected."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise EnvironmentFailure(
                f"{self.path}: the ledger of faults cannot be written: {error.strerror}",
                hint="no fault was injected; free the disk or fix the permissions, then run the drill again",
            ) from error

    def open_faults(self) -> list[OpenFault]:
        """Faults announced and not healed, oldest first. A torn last line (a crash while writing) announced nothing."""
        found: dict[str, OpenFault] = {}
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                fault_id = str(entry["fault_id"])
                if entry["event"] == "planned":
                    found[fault_id] = OpenFault(
                        fault_id, str(entry["kind"]), str(entry["node"]), str(entry["drill"]), str(entry["when"]),
                        entry.get("pid"), entry.get("started"),
                    )  # fmt: skip
                elif entry["event"] == "healed":
                    found.pop(fault_id, None)
            except (ValueError, KeyError, TypeError):
                continue
        return list(found.values())

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the chain's drill lock; who holds it may take it again. Raises EnvironmentFailure when another drill runs."""
        if self._is_held:
            yield
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / "drill.lock").open("w") as lock:
            _lock(lock, self.path)
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False


def _lock(lock: IO[str], path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise EnvironmentFailure(
            f"{path.parent}: another drill is running on this chain",
            hint="wait for it, or end it with Ctrl-C: it heals what it broke",
        ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _discard(fault: Fault, phase: str, detail: str) -> None:
    del fault, phase, detail


Notice = Callable[[Fault, str, str], None]
"""Called with (fault, phase, detail); phase is planned, injected, ineffective or healed."""


class FaultGuard:
    """Injects faults and heals every one of them when left."""

    def __init__(self, target: Target, ledger: FaultLedger, *, drill: str, notice: Notice = _discard) -> None:
        self._target = target
        self._ledger = ledger
        self._drill = drill
        self._notice = notice
        self._open: dict[str, Fault] = {}

    def inject(self, fault: Fault) -> None:
        """Announce, break, confirm. Raises FiscoToolError when the fault had no effect."""
        life = self._target.incarnation_of(fault.node)
        planned = {"event": "planned", "fault_id": fault.fault_id, "kind": fault.kind.value, "node": fault.node, "drill": self._drill}
        self._ledger.append(planned | {"when": _now(), "pid": life.pid if life else None, "started": life.started if life else None})
        self._open[fault.fault_id] = fault
        self._notice(fault, "planned", "")
        if not inject(self._target, fault):
            self._notice(fault, "ineffective", f"the process is {self._target.state_of(fault.node)}")
            raise EnvironmentFailure(
                f"{fault.node}: the fault {fault.kind.value} had no effect: the process is {self._target.state_of(fault.node)}",
                hint="the drill proves nothing then; see `fiscotool status`",
            )
        self._notice(fault, "injected", "")

    def heal(self, fault: Fault) -> None:
        """Bring the node back and close the fault in the ledger."""
        done = heal(self._target, fault.node)
        self._ledger.append({"event": "healed", "fault_id": fault.fault_id, "when": _now(), "done": done})
        self._open.pop(fault.fault_id, None)
        self._notice(fault, "healed", done)

    def heal_all(self) -> None:
        """Heal what is open, all at once and even if some fail. Raises FiscoToolError naming the nodes that did not come back."""
        failed: list[tuple[str, FiscoToolError]] = []

        def heal_one(fault: Fault) -> None:
            try:
                self.heal(fault)
            except FiscoToolError as error:
                failed.append((fault.node, error))

        faults = list(self._open.values())
        if faults:
            with ThreadPoolExecutor(max_workers=len(faults)) as pool:
                list(pool.map(heal_one, faults))
        if failed:
            names = ", ".join(name for name, _ in failed)
            raise EnvironmentFailure(
                f"could not heal {names}: {failed[0][1].message}",
                hint=f"see `fiscotool logs {failed[0][0]}`, then run `fiscotool drill heal`",
            ) from failed[0][1]

    def __enter__(self) -> Self:
        """Start guarding."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Heal, whatever happened; signals wait meanwhile."""
        with uninterrupted():
            self.heal_all()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM are ignored inside: healing is short and must not be cut off. Only the main thread can promise that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def heal_open_faults(target: Target, ledger: FaultLedger) -> list[tuple[OpenFault, str]]:
    """Heal what an earlier, crashed drill left: returns each fault with what was done ("" when the node runs already)."""
    healed = []
    for fault in ledger.open_faults():
        done = heal(target, fault.node) if fault.node in target.names else ""
        ledger.append({"event": "healed", "fault_id": fault.fault_id, "when": _now(), "done": done})
        healed.append((fault, done))
    return healed
