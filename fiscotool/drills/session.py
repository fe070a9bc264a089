"""One recorded session with a chain: who is observed, into which file, with which load beside it.

    with Session(chain, path, command="fiscotool observe …") as session: …

Entering starts the observer; leaving stops the load first, then the observer (which asks every node for the blocks still missing),
so that the recording is complete whatever happened inside.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from fiscotool import __version__
from fiscotool.chain.ini import parse_ini
from fiscotool.chain.model import Chain, NodeHome, bracketed
from fiscotool.consistency.observations import LEADER_STAYS_BLOCKS, Incarnation, NodeIdentity, RunInfo
from fiscotool.drills.attach import AttachedNode
from fiscotool.drills.fault import Fault
from fiscotool.errors import FiscoToolError
from fiscotool.nodes.process import Identity, find, is_alive
from fiscotool.observer.logs.recorder import LogRecorder
from fiscotool.observer.poll import Poller, PollTarget
from fiscotool.observer.pushes import ChannelAddress
from fiscotool.observer.recording import RecordingWriter
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.tls import TlsFiles

RESCAN_S = 0.5
_GENERATION_2 = 2


class Lives:
    """Which life of its process each node is in, without scanning the process table at every poll."""

    def __init__(self, nodes: tuple[NodeHome, ...], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._homes = {node.name: node for node in nodes}
        self._known: dict[str, Identity] = {}
        self._looked_s: dict[str, float] = {}
        self._clock = clock

    def __call__(self, name: str) -> Incarnation | None:
        """Pid and start time of the node's process, or None when there is none."""
        known = self._known.get(name)
        if known is None or not is_alive(known):
            now_s = self._clock()
            if now_s - self._looked_s.get(name, -RESCAN_S) < RESCAN_S:
                return None
            self._looked_s[name] = now_s
            known = find(self._homes[name])
            if known is None:
                self._known.pop(name, None)
                return None
            self._known[name] = known
        return Incarnation(known.pid, known.started)


def settings_of(node: NodeHome) -> dict[str, dict[str, str]]:
    """Sections and keys of a node's config.ini and config.genesis that decide about consensus; empty where a file cannot be read."""
    found: dict[str, dict[str, str]] = {}
    for name in ("config.ini", "config.genesis"):
        with contextlib.suppress(OSError, FiscoToolError):
            path = node.directory / name
            sections = parse_ini(path.read_text(encoding="utf-8", errors="replace"), source=str(path))
            for section in ("consensus", "chain", "version", "tx", "txpool", "web3", "rpc"):
                if section in sections:
                    found.setdefault(section, {}).update(sections[section])
    return found


def _identity(node: NodeHome) -> NodeIdentity:
    directory = "" if isinstance(node, AttachedNode) else str(node.directory)
    return NodeIdentity(node.name, node.node_id, node.host, node.rpc_port, node.p2p_port, node.web3_port, directory, node.byzantine)


def run_info(chain: Chain, *, command: str, drill: str = "") -> RunInfo:
    """What the first line of a recording says of the chain."""
    settings = settings_of(chain.nodes[0]) if chain.nodes else {}
    consensus = settings.get("consensus", {})
    seal_time = consensus.get("min_seal_time", "500")
    return RunInfo(
        nodes=tuple(_identity(node) for node in chain.nodes),
        chain_id=chain.chain_id,
        group_id=chain.group_id,
        engine=chain.engine,
        node_version=chain.version,
        tool_version=__version__,
        command=command,
        drill=drill,
        leader_period_blocks=LEADER_STAYS_BLOCKS if chain.protocol == "classic" else chain.genesis.leader_period_blocks,
        min_seal_time_s=int(seal_time) / 1000 if seal_time.isdigit() else 0.5,
        config=settings,
        generation=chain.generation,
        protocol=chain.protocol,
    )


def poll_target(chain: Chain, node: NodeHome) -> PollTarget:
    """How a node is watched: 2.x in its own words, with its channel where the certificates for it are."""
    tls = TlsFiles.from_sdk(node.sdk_directory)
    if chain.generation != _GENERATION_2:
        return PollTarget(node.name, node.rpc_url, chain.group_id, tls if node.rpc_tls else None, Dialect.FISCO3)
    has_channel = chain.engine != "embedded" and node.channel_port > 0 and tls.certificate.is_file()
    channel = ChannelAddress(f"{bracketed(node.host)}:{node.channel_port}", tls) if has_channel else None
    return PollTarget(node.name, node.rpc_url, chain.group_id, None, Dialect.FISCO2, channel)


def command_line() -> str:
    """The command that is running, as typed."""
    return " ".join(["fiscotool", *sys.argv[1:]])


class Session:
    """A chain under observation, recorded. `writer` takes what happens beside the polls.

    `first_height`: blocks from here on are recorded; None: from a little below the height at which the chain is found. `with_logs`: what
    the logs of nodes say whose directories are here is recorded, too.
    """

    def __init__(
        self,
        chain: Chain,
        path: Path,
        *,
        every_s: float = 0.25,
        command: str = "",
        drill: str = "",
        first_height: int | None = None,
        with_logs: bool = False,
    ) -> None:
        self.chain = chain
        self.path = path
        self.writer = RecordingWriter(path)
        self.writer.run(run_info(chain, command=command or command_line(), drill=drill))
        self.poller = Poller(
            [poll_target(chain, node) for node in chain.nodes],
            every_s,
            self.writer,
            Lives(chain.nodes),
            first_height=first_height,
        )
        homes = [node for node in chain.nodes if with_logs and not isinstance(node, AttachedNode)]
        self.recorder = LogRecorder({node.name: node.directory / "log" for node in homes}, self.writer)

    def __enter__(self) -> Self:
        """Begin to observe."""
        self.poller.start()
        self.recorder.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Complete the recording and close it."""
        try:
            self.poller.__exit__(kind, error, trace)
            self.recorder.stop()
            self.writer.end("" if kind is None else kind.__name__)
        finally:
            self.writer.close()

    def on_fault(self, fault: Fault, phase: str, detail: str) -> None:
        """A listener for `guard.FaultGuard`: every phase of a fault becomes a line."""
        if phase == "planned":
            self.writer.fault_planned(fault.fault_id, fault.kind.value, fault.node, role=fault.role, detail=detail)
        elif phase in {"injected", "ineffective"}:
            self.writer.fault_injected(fault.fault_id, confirmed=phase == "injected", detail=detail)
        elif phase == "healed":
            self.writer.fault_healed(fault.fault_id, detail=detail)
