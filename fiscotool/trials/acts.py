"""What happens to an embedded chain in a trial, under load.

    none       nothing
    kill       the leader of the next block, and more, are killed and come back
    follower   the one that would lead the next view is killed and comes back
    bystander  one that does not lead is killed and comes back
    pair       the leader of the next block and the one after it are killed and come back
    all        all nodes are killed at once, and come back at once
    turns      one is killed, then another while the first comes back and fetches what it missed
    weights    weights change again and again, the leader is killed meanwhile
    heavier    all weights become three, then the leader is killed
    again      the node a fickle leader shows its blocks to is killed whenever the chain stands still, and comes back at once

System transactions are signed by a fresh key, as every other: an embedded chain asks nobody for leave.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from fiscotool.chain.model import Chain, NodeHome
from fiscotool.drills.fault import Fault, FaultKind
from fiscotool.drills.session import Session
from fiscotool.drills.targets import leader_of
from fiscotool.drills.tx_source import BLOCK_LIMIT_AHEAD
from fiscotool.drills.workload import Workload, height_of
from fiscotool.errors import FiscoToolError
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.precompiled import CONSENSUS, encode_call
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from fiscotool.nodes import control
from fiscotool.rpc.client import NodeClient
from fiscotool.trials.drill import Drill

START_S: Final = 60.0
RATE_PER_S: Final = 8.0
LOOK_S: Final = 0.15
FOLLOWER_LOOKS: Final = 20
STANDS_S: Final = 0.9
"""A chain under load whose height has not moved for this long stands still."""


class Stage:
    """A chain under a trial, and what can be done to it."""

    def __init__(self, chain: Chain, drill: Drill, session: Session) -> None:
        self.chain = chain
        self.drill = drill
        self._session = session
        self._killed = 0

    @property
    def honest(self) -> list[NodeHome]:
        """The honest nodes, the leader of the next block first."""
        honest = [node for node in self.chain.nodes if not node.byzantine]
        with contextlib.suppress(FiscoToolError):
            leader = leader_of(self.chain)
            honest.sort(key=lambda node: node.name != leader.name)
        return honest

    def load(self) -> Workload:
        """Transactions at a steady rate."""
        return Workload(self.chain, rate_per_s=RATE_PER_S, on_result=self._session.writer.tx, since_start=self._session.writer.since_start)

    def wait(self, seconds: float) -> None:
        """Let the chain work: the length of a phase is what a drill is about, there is no condition to await."""
        threading.Event().wait(seconds)

    def kill(self, nodes: Iterable[NodeHome]) -> list[Fault]:
        """Kill -9; what it is called in the recording."""
        victims = list(nodes)
        self._killed += 1
        faults = [Fault(f"kill-{node.name}-{self._killed}", FaultKind.KILL, node.name, "leader") for node in victims]
        for fault in faults:
            self._session.on_fault(fault, "planned", "")
        control.kill(victims)
        for fault in faults:
            self._session.on_fault(fault, "injected", "")
        return faults

    def revive(self, faults: Iterable[Fault]) -> None:
        """Start them again. Some mutants do not."""
        faults = list(faults)
        names = {fault.node for fault in faults}
        with contextlib.suppress(FiscoToolError):
            control.start([node for node in self.chain.nodes if node.name in names], wait_s=START_S)
        for fault in faults:
            self._session.on_fault(fault, "healed", "")

    def set_weight(self, node: NodeHome, weight: int) -> None:
        """A system transaction; sent to the first node that takes it, whose answer nobody waits for."""
        with contextlib.suppress(FiscoToolError):
            tx = build_transaction(
                chain_id=self.chain.chain_id,
                group_id=self.chain.group_id,
                block_limit=height_of(self.chain) + BLOCK_LIMIT_AHEAD,
                to=CONSENSUS,
                input=encode_call("setWeight(string,uint256)", [node.node_id, weight]),
                key=KeyPair.generate(),
            )
            raw = encode_transaction(tx).hex()
            for home in self.chain.nodes:
                with contextlib.suppress(FiscoToolError), NodeClient(home.rpc_url, group=self.chain.group_id, timeout_s=LOOK_S) as client:
                    client.send_transaction(raw)

    def stands_still(self, within_s: float) -> bool:
        """Wait until the height has not moved for `STANDS_S`; False when it keeps moving."""
        deadline_s = moved_s = time.monotonic()
        deadline_s += within_s
        height = -1
        while (now_s := time.monotonic()) < deadline_s:
            with contextlib.suppress(FiscoToolError):
                found = height_of(self.chain)
                if found != height:
                    height, moved_s = found, now_s
            if now_s - moved_s >= STANDS_S:
                return True
            self.wait(LOOK_S)
        return False


def perform(stage: Stage) -> None:
    """The whole drill."""
    with stage.load():
        stage.wait(stage.drill.calm_s)
        ACTS[stage.drill.act](stage)
        stage.wait(stage.drill.after_s)
    stage.wait(stage.drill.idle_s)


def nothing(stage: Stage) -> None:
    """Load alone."""
    del stage


def kill_leaders(stage: Stage) -> None:
    """Killed, and back after a while."""
    faults = stage.kill(stage.honest[: stage.drill.victims])
    stage.wait(stage.drill.down_s)
    stage.revive(faults)


def kill_follower(stage: Stage) -> None:
    """Who would lead the next view, if that one is honest: nobody takes over then."""
    ids = list(stage.chain.genesis.sorted_ids)
    by_index = [stage.chain.node_of_id(node_id) for node_id in ids]
    victim = stage.honest[-1]
    for _ in range(FOLLOWER_LOOKS):
        following = by_index[(ids.index(stage.honest[0].node_id) + 1) % len(ids)]
        if following is not None and not following.byzantine:
            victim = following
            break
        stage.wait(LOOK_S)
    faults = stage.kill([victim])
    stage.wait(stage.drill.down_s)
    stage.revive(faults)


def kill_bystander(stage: Stage) -> None:
    """Not the leader of the next block."""
    faults = stage.kill(stage.honest[-1:])
    stage.wait(stage.drill.down_s)
    stage.revive(faults)


def kill_pair(stage: Stage) -> None:
    """The leader of a height and that of its next view: only a later view makes a block."""
    by_index = [stage.chain.node_of_id(node_id) for node_id in stage.chain.genesis.sorted_ids]
    leader = stage.honest[0]
    following = by_index[(by_index.index(leader) + 1) % len(by_index)]
    faults = stage.kill([leader] if following is None else [leader, following])
    stage.wait(stage.drill.down_s)
    stage.revive(faults)


def kill_all(stage: Stage) -> None:
    """All honest ones at once, twice."""
    for _ in range(2):
        stage.revive(stage.kill(stage.honest))
        stage.wait(stage.drill.down_s)


def take_turns(stage: Stage) -> None:
    """Who comes back fetches blocks while another one, which would lead, is gone."""
    first, second, *_ = stage.honest
    faults = stage.kill([first])
    stage.wait(stage.drill.down_s)
    others = stage.kill([second])
    stage.revive(faults)
    stage.wait(stage.drill.down_s)
    stage.revive(others)


def change_weights(stage: Stage) -> None:
    """Two in turn, every half second."""
    nodes = stage.honest
    for step in range(6):
        stage.set_weight(nodes[step % 2], 2 - (step // 2) % 2)
        stage.wait(stage.drill.down_s / 6)
    faults = stage.kill(stage.honest[:1])
    for step in range(4):
        stage.wait(stage.drill.down_s / 4)
        stage.set_weight(nodes[2 - step % 2], 2 - (step // 2) % 2)
    stage.revive(faults)


def make_heavier(stage: Stage) -> None:
    """All weigh three now: two of the old f+1 are less than one of the new."""
    for node in stage.chain.nodes:
        stage.set_weight(node, 3)
    stage.wait(2.0)
    kill_leaders(stage)


def kill_again(stage: Stage) -> None:
    """The replica after the liar, whenever the chain waits for the liar's block."""
    ids = list(stage.chain.genesis.sorted_ids)
    by_index = [stage.chain.node_of_id(node_id) for node_id in ids]
    liar = next(index for index, node in enumerate(by_index) if node is not None and node.byzantine)
    target = by_index[(liar + 1) % len(ids)]
    assert target is not None
    deadline_s = time.monotonic() + stage.drill.down_s
    while time.monotonic() < deadline_s:
        if stage.stands_still(max(0.0, deadline_s - time.monotonic())):
            stage.revive(stage.kill([target]))
            stage.wait(1.0)


ACTS: Final[dict[str, Callable[[Stage], None]]] = {
    "none": nothing,
    "kill": kill_leaders,
    "follower": kill_follower,
    "bystander": kill_bystander,
    "pair": kill_pair,
    "all": kill_all,
    "turns": take_turns,
    "weights": change_weights,
    "heavier": make_heavier,
    "again": kill_again,
}
"""By name."""
