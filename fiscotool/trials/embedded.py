"""The mutant in an embedded chain: real processes, keys, sockets and disks, under a short drill, recorded.

    deploy nodes with the mutant → load → kill the leader of the next block → load goes on → it returns → load → stop

The recording (polls and headers) is judged by `consistency.judge`, as that of a real chain would be; the nodes' logs become traces for
`check.trace`. Neither is told that there is a mutant; both are told who was deployed to lie.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fiscotool.chain.layout import PortBases, parse_layout
from fiscotool.chain.model import Chain, NodeHome
from fiscotool.chain.plan import plan_chain
from fiscotool.chain.spec import VERSION_DEFAULT, ChainSpec
from fiscotool.chain.write import write_chain
from fiscotool.drills.fault import Fault, FaultKind
from fiscotool.drills.session import Session
from fiscotool.drills.targets import leader_of
from fiscotool.drills.workload import Workload
from fiscotool.errors import FiscoToolError
from fiscotool.mutants.mutant import Mutant
from fiscotool.nodes import control

START_S = 60.0
RATE_PER_S = 8.0
VERSION_2 = "2.9.1"


@dataclass(frozen=True, slots=True)
class Drill:
    """What is done to the chain, in seconds: load for `calm_s`, `victims` killed for `down_s`, load again for `after_s`.

    `byzantine` is how the last node lies; `only` are the nodes with the mutant, all when empty.
    """

    byzantine: str = ""
    victims: int = 1
    calm_s: float = 2.0
    down_s: float = 5.0
    after_s: float = 3.5
    nodes: int = 4
    only: tuple[str, ...] = ()

    def told(self) -> str:
        """The drill for people."""
        lies = f"one node is {self.byzantine}" if self.byzantine else "nobody lies"
        killed = f", {self.victims} killed for {self.down_s:g} s" if self.victims else ""
        return f"{self.nodes} nodes, {lies}{killed}, then {self.after_s:g} s"


def spec_of(mutant: Mutant | None, drill: Drill, first_port: int, dialect: str = "fisco3") -> ChainSpec:
    """The chain of a trial."""
    n = drill.nodes
    is_2 = (dialect if mutant is None else mutant.dialect) == "fisco2"
    dialect = dialect if mutant is None else mutant.dialect
    mutants = {} if mutant is None else dict.fromkeys(drill.only or ("all",), mutant.name)
    return ChainSpec(
        hosts=parse_layout(f"127.0.0.1:{n}"),
        ports=PortBases(p2p=first_port, rpc=first_port + n, web3=first_port + 2 * n),
        byzantine={f"node{n - 1}": drill.byzantine} if drill.byzantine else {},
        mutants=mutants,
        protocol=dialect,
        version=VERSION_2 if is_2 else VERSION_DEFAULT,
        chain_id="1" if is_2 else "chain0",
        group_id="1" if is_2 else "group0",
    )


@contextlib.contextmanager
def running(chain: Chain) -> Iterator[Chain]:
    """The chain's nodes run inside; they are killed afterwards whatever happened."""
    try:
        control.start(chain.nodes, wait_s=START_S)
        yield chain
    finally:
        with contextlib.suppress(FiscoToolError):
            control.kill(chain.nodes)


def record(mutant: Mutant | None, drill: Drill, place: Path, first_port: int, *, dialect: str = "fisco3") -> Chain:
    """Deploy into `place`, drill, and leave the recording `run.jsonl` and the nodes' logs there.

    Raises FiscoToolError when the chain cannot be started at all.
    """
    chain = write_chain(plan_chain(spec_of(mutant, drill, first_port, dialect)), place / "nodes")
    with (
        running(chain),
        Session(chain, place / "run.jsonl", every_s=0.2, command="trial", first_height=0) as session,
        contextlib.suppress(FiscoToolError),
    ):
        _drill(chain, drill, session)
    return chain


def _drill(chain: Chain, drill: Drill, session: Session) -> None:
    """Load; kill; load; start; load."""
    with Workload(chain, rate_per_s=RATE_PER_S, on_result=session.writer.tx, since_start=session.writer.since_start):
        _pause(drill.calm_s)
        victims = _leaders(chain)[: drill.victims]
        faults = [Fault(f"kill-{node.name}", FaultKind.KILL, node.name, "leader") for node in victims]
        for fault in faults:
            session.on_fault(fault, "planned", "")
        if victims:
            control.kill(victims)
            for fault in faults:
                session.on_fault(fault, "injected", "")
            _pause(drill.down_s)
            with contextlib.suppress(FiscoToolError):
                control.start(victims, wait_s=START_S)
            for fault in faults:
                session.on_fault(fault, "healed", "")
        _pause(drill.after_s)


def _pause(seconds: float) -> None:
    """Let the chain work: the length of a phase is what the drill is about, there is no condition to await."""
    threading.Event().wait(seconds)


def _leaders(chain: Chain) -> list[NodeHome]:
    """The honest nodes, the leader of the next block first."""
    honest = [node for node in chain.nodes if not node.byzantine]
    with contextlib.suppress(FiscoToolError):
        leader = leader_of(chain)
        honest.sort(key=lambda node: node.name != leader.name)
    return honest


@contextlib.contextmanager
def trial_directory(name: str) -> Iterator[Path]:
    """A directory of its own for one run, gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix=f"fiscotool-trial-{name}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
