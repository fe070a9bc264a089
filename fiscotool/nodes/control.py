"""Start, stop, kill, pause and resume nodes, many at once, each confirmed by looking at the process.

Rule 1. Only processes that `nodes.process` proves to be the node's are signalled; pid files are neither read nor written.
Rule 2. Every call returns when what it names is so, or raises within its time; several nodes are treated at once, and all of them
        are treated even if the first one fails.
Rule 3. Doing what is already so is success: starting a running node and stopping a stopped one change nothing and say so.

Sources: spec 3.x 0 (signals, exit texts), 4.8 (start.sh, stop.sh).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fiscotool.chain.model import NodeHome
from fiscotool.chain.portcheck import Wanted, is_local, require_free
from fiscotool.errors import EnvironmentFailure, WaitTimeout
from fiscotool.nodes import launch as launching
from fiscotool.nodes.probe import probe_rpc
from fiscotool.nodes.process import Identity, NodeProcess, is_alive, is_paused, states_of
from fiscotool.nodes.signals import send_signal
from fiscotool.nodes.wait import wait_for

START_S, STOP_S, CONFIRM_S = 30.0, 30.0, 5.0

_PROBES_MAX = 16

Probe = Callable[[NodeHome], str]
"""Empty when the node is ready, else what it lacks, as `probe_rpc`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one node. `did` is "started", "stopped", "killed", "paused", "resumed", or "already …"; `seconds` how long it took."""

    node: str
    did: str
    process: NodeProcess
    seconds: float


class NodesFailed(EnvironmentFailure):
    """Some nodes could not be treated; `outcomes` has those that were, `failures` a sentence for each that was not."""

    def __init__(self, failures: dict[str, str], outcomes: tuple[Outcome, ...], *, hint: str) -> None:
        super().__init__(_told_once(failures), hint=hint)
        self.failures = failures
        self.outcomes = outcomes


def start(nodes: Iterable[NodeHome], *, wait_s: float = START_S, probe: Probe = probe_rpc) -> tuple[Outcome, ...]:
    """Start those of `nodes` that do not run, and wait until `probe` finds each of them ready.

    Raises PortTaken, and EnvironmentFailure for nodes of another host, before starting anything; NodesFailed with the last words of
    nodes that died; WaitTimeout for nodes that live but are not ready in `wait_s` seconds (they go on, and may be ready later).
    """
    chosen = tuple(nodes)
    before = states_of(chosen)
    absent = [node for node in chosen if before[node.name].identity is None]
    _refuse_elsewhere(absent)
    wanted = [Wanted(node.name, role, node.listen_ip, port) for node in absent for role, port in node.ports]
    require_free(wanted, remedy="change the port in config.ini (a p2p port in every nodes.json, too)")
    starting = _Starting(absent, probe)
    slow: WaitTimeout | None = None
    try:
        wait_for(starting.look, lambda lacking: not lacking, what="start", within_s=wait_s, describe=_describe)
    except WaitTimeout as problem:
        slow = problem
    outcomes = {name: Outcome(name, f"already {process.state}", process, 0.0) for name, process in before.items()} | starting.outcomes
    if starting.failures:
        slow_ones = {name: f"{name}: runs, but is not ready: {why}" for name, why in starting.lacking.items()}
        found = starting.failures | slow_ones
        failures = {node.name: found[node.name] for node in chosen if node.name in found}
        done = tuple(outcomes[node.name] for node in chosen if node.name not in failures)
        raise NodesFailed(failures, done, hint=starting.hint or f"see its log: fiscotool logs {next(iter(failures))}")
    if slow is not None:
        names = " ".join(starting.lacking)
        raise WaitTimeout(
            f"started, but not ready within {wait_s:g} s: {_describe(starting.lacking)}",
            hint=f"they go on; look again with: fiscotool status, or: fiscotool logs {names}",
        ) from slow
    return tuple(outcomes[node.name] for node in chosen)


def _refuse_elsewhere(nodes: Sequence[NodeHome]) -> None:
    """A chain of several hosts lies here as a whole, but only one host's nodes run here. One of a single host is taken to be here."""
    elsewhere = [node for node in nodes if node.name != node.directory.name and not is_local(node.host)]
    if elsewhere:
        first = elsewhere[0]
        others = f" and {len(elsewhere) - 1} more" if len(elsewhere) > 1 else ""
        raise EnvironmentFailure(
            f"{first.name}{others}: {first.host} is not an address of this machine",
            hint=f"copy {first.directory.parent} to that machine and run there: bash start_all.sh",
        )


class _Starting:
    """Nodes on their way from launched to ready, or to an early end. `lacking` maps those under way to what they lack."""

    def __init__(self, nodes: Sequence[NodeHome], probe: Probe) -> None:
        self._probe = probe
        self._began_s = time.monotonic()
        self._launched: dict[str, launching.Launch] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.failures: dict[str, str] = {}
        self.hint = ""
        for node in nodes:
            try:
                self._launched[node.name] = launching.launch(node)
            except EnvironmentFailure as problem:
                self.failures[node.name], self.hint = problem.message, problem.hint
        self.lacking = dict.fromkeys(self._launched, "")

    def look(self) -> dict[str, str]:
        """Ask those under way; what is left of them, with what each lacks."""
        asked = [self._launched[name].node for name in self.lacking]
        answers = _ask_all(asked, self._probe)
        states = states_of(asked)
        for name, why in answers.items():
            self.lacking[name] = why
            if states[name].identity is None:
                self._note_absent(name)
            elif not why:
                self.outcomes[name] = Outcome(name, "started", states[name], time.monotonic() - self._began_s)
                del self.lacking[name]
        return self.lacking

    def _note_absent(self, name: str) -> None:
        obituary = _obituary(self._launched[name])
        if obituary is not None:
            self.failures[name] = obituary
            del self.lacking[name]
        elif not self.lacking[name]:
            self.lacking[name] = "something answers on its RPC port, but it is not the node's process"


def stop(nodes: Iterable[NodeHome], *, wait_s: float = STOP_S) -> tuple[Outcome, ...]:
    """Ask the processes of `nodes` to end (SIGTERM) and wait until they have. A frozen one is resumed first, so that it can.

    Raises WaitTimeout naming those that did not end in `wait_s` seconds.
    """
    hint = "they may still end; look again with status, or end them with: fiscotool kill"
    return _end(tuple(nodes), (signal.SIGCONT, signal.SIGTERM), "stopped", wait_s, hint)


def kill(nodes: Iterable[NodeHome], *, wait_s: float = CONFIRM_S) -> tuple[Outcome, ...]:
    """End the processes of `nodes` at once (SIGKILL), as a crash would, and wait until they are gone."""
    return _end(
        tuple(nodes), (signal.SIGKILL,), "killed", wait_s, "a process that waits for a broken disk cannot be killed; see ps, state D"
    )


def pause(nodes: Iterable[NodeHome], *, wait_s: float = CONFIRM_S) -> tuple[Outcome, ...]:
    """Freeze the processes of `nodes` (SIGSTOP) and confirm it. Raises NodesFailed for those that do not run."""
    return _freeze(tuple(nodes), signal.SIGSTOP, "paused", wait_s)


def resume(nodes: Iterable[NodeHome], *, wait_s: float = CONFIRM_S) -> tuple[Outcome, ...]:
    """Let frozen processes of `nodes` go on (SIGCONT) and confirm it. Raises NodesFailed for those that do not run."""
    return _freeze(tuple(nodes), signal.SIGCONT, "running", wait_s)


def restart(nodes: Iterable[NodeHome], *, wait_s: float = START_S, probe: Probe = probe_rpc) -> tuple[Outcome, ...]:
    """Stop `nodes`, all of them, then start them and wait until they are ready."""
    chosen = tuple(nodes)
    stop(chosen)
    return start(chosen, wait_s=wait_s, probe=probe)


def _end(nodes: tuple[NodeHome, ...], numbers: Sequence[signal.Signals], did: str, wait_s: float, hint: str) -> tuple[Outcome, ...]:
    began_s = time.monotonic()
    before = states_of(nodes)
    living: dict[str, Identity] = {name: process.identity for name, process in before.items() if process.identity is not None}
    for identity in living.values():
        for number in numbers:
            send_signal(identity, number)
    ended: dict[str, float] = {}

    def look() -> list[str]:
        launching.reap()
        for name, identity in living.items():
            if name not in ended and not is_alive(identity):
                ended[name] = time.monotonic() - began_s
        return [f"{name} (pid {identity.pid})" for name, identity in living.items() if name not in ended]

    wait_for(look, lambda left: not left, what=did, within_s=wait_s, hint=hint, describe=lambda left: "still there: " + ", ".join(left))
    # The last look at each, not the identity that has ended: somebody else may have started it again.
    after = states_of(nodes)
    return tuple(
        Outcome(node.name, did if node.name in ended else "already stopped", after[node.name], ended.get(node.name, 0.0)) for node in nodes
    )


def _freeze(nodes: tuple[NodeHome, ...], number: signal.Signals, goal: str, wait_s: float) -> tuple[Outcome, ...]:
    began_s = time.monotonic()
    wants_frozen = number == signal.SIGSTOP
    before = states_of(nodes)
    failures = {name: f"{name} does not run" for name, process in before.items() if process.identity is None}
    living = {name: process.identity for name, process in before.items() if process.identity is not None}
    already = {name for name, process in before.items() if process.state == goal}
    for name, identity in living.items():
        if name not in already:
            send_signal(identity, number)

    def look() -> list[str]:
        for name, identity in list(living.items()):
            if not is_alive(identity):
                failures[name] = f"{name} ended"
                del living[name]
        return [name for name, identity in living.items() if is_paused(identity) != wants_frozen]

    wait_for(look, lambda left: not left, what=goal, within_s=wait_s, describe=lambda left: "not yet: " + ", ".join(left))
    seconds = time.monotonic() - began_s
    after = states_of(nodes)
    did = "paused" if wants_frozen else "resumed"
    done = tuple(
        Outcome(node.name, f"already {goal}" if node.name in already else did, after[node.name], seconds)
        for node in nodes
        if node.name in living
    )
    if failures:
        raise NodesFailed(failures, done, hint="see which run: fiscotool status")
    return done


def _ask_all(nodes: Sequence[NodeHome], probe: Probe) -> dict[str, str]:
    if not nodes:
        return {}
    with ThreadPoolExecutor(max_workers=min(len(nodes), _PROBES_MAX), thread_name_prefix="probe") as pool:
        return dict(zip((node.name for node in nodes), pool.map(probe, nodes), strict=True))


def _obituary(started: launching.Launch) -> str | None:
    """How the process that was just started ended; None if it has not."""
    status = started.exit_status()
    if status is None:
        return None
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    words = launching.last_words(started.node, started.output_start_bytes)
    tail = "\n" + "\n".join(f"    {line}" for line in words.splitlines()) if words else " and said nothing"
    return f"{started.node.name}: its process {how} right after the start{tail}"


def _told_once(failures: dict[str, str]) -> str:
    """The failures, one below the other; nodes that failed with the same words as an earlier one are only named."""
    same: dict[str, list[str]] = {}
    for name, failure in failures.items():
        same.setdefault(failure.removeprefix(f"{name}: "), []).append(name)
    told = []
    for names in same.values():
        told.append(failures[names[0]])
        if len(names) > 1:
            told.append(f"{', '.join(names[1:])}: the same")
    return "\n".join(told)


def _describe(lacking: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" if why else name for name, why in lacking.items())
