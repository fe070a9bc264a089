"""The lines of a 2.x node: four replicas on a bad network, every line they write read back by the log parser."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fiscotool.devnet.contracts import ChainConfig, Sealer
from fiscotool.devnet.form2 import FORM2
from fiscotool.devnet.log2 import NodeLog2
from fiscotool.devnet.narration2 import Narrator2
from fiscotool.devnet.proposals import ContentCache, filler
from fiscotool.devnet.sealer import block_proposal
from fiscotool.ledger.crypto import KeyPair, keccak256
from fiscotool.ledger.tx2 import build_transaction2, encode_transaction2
from fiscotool.observer.logs.events import Kind, LogEvent
from fiscotool.observer.logs.parse import LogParser
from fiscotool.pbft.effects import (
    Broadcast,
    BuildFillers,
    CancelTimer,
    CommitBlock,
    Effect,
    Execute,
    SealRange,
    Send,
    SetTimer,
    VerifyProposal,
)
from fiscotool.pbft.events import (
    Event,
    Executed,
    FillersBuilt,
    LedgerAdvanced,
    PeersChanged,
    Proposed,
    Received,
    Started,
    TimerFired,
    TimerName,
    Verified,
)
from fiscotool.pbft.fisco2.state import initial_state
from fiscotool.pbft.fisco2.step import step
from fiscotool.pbft.messages import Message
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Digest, Height, NodeIndex

KEYS = sorted((KeyPair.from_secret(bytes(31) + bytes((10 + index,))) for index in range(4)), key=lambda key: key.node_id)
CONFIG = ChainConfig(tuple(Sealer(key.node_id, 1) for key in KEYS), (), 1000, 1, 300_000_000, 0)
RULES = Rules(weights=(1,) * 4, members=tuple(key.node_id for key in KEYS))
USER = KeyPair.from_secret(b"\x09" * 32)
GENESIS = Digest(b"g" * 32)


class Replica:
    """One core with its narrator; what it wants done is done at once, messages go to the network."""

    def __init__(self, network: Network, index: int, directory: Path) -> None:
        self.network = network
        self.index = index
        self.directory = directory / f"node{index}"
        self.log = NodeLog2(self.directory, group="1", level="debug")
        self.narrator = Narrator2(self.log, KEYS[index].node_id, ContentCache(FORM2))
        self.state = initial_state(rules=RULES, me=NodeIndex(index), height=Height(0), block_hash=GENESIS)
        self.timers: dict[TimerName, int] = {}
        self.tx_left = 2
        self.narrator.started(self.state)
        self.post(PeersChanged(frozenset({NodeIndex(other) for other in range(4) if other not in {index, 3}}), frozenset()))
        self.post(Started())

    def post(self, event: Event) -> None:
        before = self.state
        self.state, effects = step(before, event)
        self.narrator.on_step(before, event, self.state, effects)
        for effect in effects:
            self.narrator.on_applied(self.state, effect)
            self.apply(effect)

    def apply(self, effect: Effect) -> None:
        match effect:
            case Broadcast(message=message):
                self.network.send(message, [self.index])
                self.network.send(message, [other for other in range(4) if other != self.index])
            case Send(to=to, message=message):
                self.network.send(message, [int(to)])
            case SetTimer(name=name, epoch=epoch):
                self.timers[name] = epoch
            case CancelTimer(name=name):
                self.timers.pop(name, None)
            case VerifyProposal(proposal=proposal):
                self.network.later(self, Verified(proposal.index, proposal.digest, is_valid=True))
            case Execute(proposal=proposal):
                fails = self.network.random.random() < 0.05
                result = None if fails else Digest(keccak256(b"executed" + proposal.digest))
                self.network.later(self, Executed(proposal.index, proposal.digest, result))
            case BuildFillers(view=view, indexes=indexes):
                made = [filler(at, NodeIndex(self.index), CONFIG, 1, form=FORM2, parent_hash=self.state.block_hash) for at in indexes]
                self.network.later(self, FillersBuilt(view, tuple(made)))
            case SealRange(first=first, last=last) if first <= last and self.tx_left:
                self.tx_left -= 1
                self.network.later(self, Proposed(self.block(first)))
            case CommitBlock(index=index, block_hash=block_hash):
                self.network.later(self, LedgerAdvanced(index, block_hash, RULES, NodeIndex(self.index), by_sync=False))
            case _:
                pass

    def block(self, number: Height) -> Any:
        nonce = self.network.random.getrandbits(64)
        raw = encode_transaction2(
            build_transaction2(chain_id=1, group_id=1, block_limit=500, to=USER.address, input=b"1234", key=USER, nonce=nonce)
        )
        return block_proposal(number, self.index, [FORM2.pooled(raw)], CONFIG, 1, form=FORM2, parent_hash=self.state.block_hash)


class Network:
    """Delivers in any order, loses a tenth, fires timers whenever it likes."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.random = random.Random(seed)
        self.waiting: list[tuple[int, Event]] = []
        self.replicas = [Replica(self, index, directory) for index in range(4)]

    def send(self, message: Message, to: list[int]) -> None:
        self.waiting += [(index, Received(message)) for index in to if index == message.sender or self.random.random() > 0.1]

    def later(self, replica: Replica, event: Event) -> None:
        self.waiting.append((replica.index, event))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            replica = self.random.choice(self.replicas)
            if replica.timers and (not self.waiting or self.random.random() < 0.06):
                name = self.random.choice(sorted(replica.timers, key=lambda one: one.value))
                replica.post(TimerFired(name, replica.timers.pop(name)))
            elif self.waiting:
                index, event = self.waiting.pop(self.random.randrange(len(self.waiting)))
                self.replicas[index].post(event)
        for each in self.replicas:
            each.log.close()


def events_of(network: Network) -> list[LogEvent]:
    """What the parser makes of all lines; nothing may be unknown to it."""
    found: list[LogEvent] = []
    for replica in network.replicas:
        parser = LogParser(f"node{replica.index}")
        for path in sorted(replica.directory.glob("*.log")):
            found += parser.parse(path.read_text().splitlines())
        assert parser.counts.unknown_count == 0, [event.message for event in found if event.kind is Kind.UNKNOWN][:3]
        assert parser.counts.continuation_count == parser.counts.torn_count == 0
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[LogEvent]:
    """Lines of 12 runs."""
    found: list[LogEvent] = []
    for seed in range(12):
        network = Network(seed, tmp_path_factory.mktemp(f"seed{seed}"))
        network.run(900)
        found += events_of(network)
    return found


def test_every_line_is_one_that_real_nodes_write(told: list[LogEvent]) -> None:
    kinds = Counter(event.kind for event in told)
    wanted = {
        *(Kind.STARTED, Kind.SEALED, Kind.PROPOSED, Kind.ACCEPTED, Kind.EXECUTED, Kind.EXECUTION_FAILED, Kind.PREPARE_SENT),
        *(Kind.PREPARE_COUNTED, Kind.PREPARED, Kind.COMMIT_COUNTED, Kind.COMMITTED, Kind.WRITTEN, Kind.REPORT, Kind.TIMEOUT),
        *(Kind.VIEW_RAISED, Kind.VIEW_CHANGE_SENT, Kind.VIEW_CHANGE_COUNTED, Kind.FAST_VIEW_CHANGE, Kind.CATCH_UP, Kind.VIEW_ENTERED),
        *(Kind.REPROPOSED, Kind.PROPOSAL_REFUSED, Kind.FUTURE),
    }
    assert wanted <= kinds.keys(), wanted - kinds.keys()


def test_lines_say_what_the_trace_needs(told: list[LogEvent]) -> None:
    for event in told:
        if event.kind in {Kind.PREPARE_COUNTED, Kind.COMMIT_COUNTED}:
            assert None not in {event.height, event.view, event.sender}
            assert event.digest
        elif event.kind in {Kind.WRITTEN, Kind.EXECUTED, Kind.PREPARED, Kind.REPORT}:
            assert event.height is not None
            assert event.digest
        elif event.kind in {Kind.VIEW_ENTERED, Kind.VIEW_RAISED}:
            assert event.view is not None


def test_blocks_of_one_height_have_one_hash(told: list[LogEvent]) -> None:
    """Lines of different runs differ, so: a hash is told of one height only."""
    written = {(event.height, event.digest) for event in told if event.kind is Kind.WRITTEN}
    assert len({digest for _, digest in written}) == len(written) > 0
