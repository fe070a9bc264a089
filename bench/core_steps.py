"""How many steps the core takes a second in the normal case: n replicas, no network, no disk, every message delivered once.

Prints one greppable line a configuration: `core_steps nodes=4 steps=... steps_per_s=... us_per_step=...`.
Run: python bench/core_steps.py [blocks]
"""

from __future__ import annotations

import sys
import time
from collections import deque

from fiscotool.pbft.effects import Broadcast, CommitBlock, Execute, SealRange, Send, VerifyProposal
from fiscotool.pbft.events import Event, Executed, LedgerAdvanced, PoolSize, Proposed, Received, Started, TimerFired, TimerName, Verified
from fiscotool.pbft.messages import Proposal
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.state import initial_state
from fiscotool.pbft.step import step
from fiscotool.pbft.types import Digest, Height, NodeIndex


class Bench:
    """A perfect world: effects become events at once, in order."""

    def __init__(self, node_count: int) -> None:
        self.rules = Rules((1,) * node_count)
        self.states = [
            initial_state(rules=self.rules, me=NodeIndex(i), height=Height(0), block_hash=Digest(b"g")) for i in range(node_count)
        ]
        self.queue: deque[tuple[int, Event]] = deque()
        self.steps = 0
        self.step_s = 0.0

    def push(self, node: int, event: Event) -> None:
        """Hand in one event and all that follows from it."""
        self.queue.append((node, event))

    def drain(self, *, height_max: int) -> None:
        """Step until nothing is left; proposals above `height_max` are not made."""
        clock = time.perf_counter
        while self.queue:
            node, event = self.queue.popleft()
            began_s = clock()
            self.states[node], effects = step(self.states[node], event)
            self.step_s += clock() - began_s
            self.steps += 1
            for effect in effects:
                self._apply(node, effect, height_max)

    def _apply(self, node: int, effect: object, height_max: int) -> None:
        match effect:
            case Broadcast(message=message):
                for receiver in range(len(self.states)):
                    self.push(receiver, Received(message))
            case Send(to=to, message=message):
                self.push(to, Received(message))
            case VerifyProposal(proposal=proposal):
                self.push(node, Verified(proposal.index, proposal.digest, is_valid=True))
            case Execute(proposal=proposal):
                self.push(node, Executed(proposal.index, proposal.digest, Digest(b"x" + proposal.digest)))
            case CommitBlock(index=index, block_hash=block_hash):
                self.push(node, LedgerAdvanced(index, block_hash, self.rules, NodeIndex(node)))
            case SealRange(first=first, last=last) if first <= last and first <= height_max:
                name = Digest(b"%032d" % first)
                self.push(node, Proposed(Proposal(first, name, b"data", sealer=NodeIndex(node))))
            case _:
                pass


def measure(node_count: int, blocks: int) -> str:
    """One line with the figures of `blocks` blocks."""
    bench = Bench(node_count)
    for node in range(node_count):
        bench.push(node, Started())
        bench.push(node, PoolSize(1))
    bench.drain(height_max=0)
    for node in range(node_count):
        bench.push(node, TimerFired(TimerName.VIEW, bench.states[node].timer_epoch))
    bench.steps, bench.step_s = 0, 0.0
    bench.drain(height_max=blocks)
    assert min(state.height for state in bench.states) == blocks
    rate = bench.steps / bench.step_s
    return f"core_steps nodes={node_count} blocks={blocks} steps={bench.steps} steps_per_s={rate:.0f} us_per_step={1e6 / rate:.1f}"


def main() -> None:
    """Measure n = 4, 7 and 16."""
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for node_count in (4, 7, 16):
        print(measure(node_count, max(10, blocks * 4 // node_count)))


if __name__ == "__main__":
    main()
