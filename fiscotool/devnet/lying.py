"""An embedded node that lies as a simulated replica does: a strategy of `sim` decides what leaves, this signs it and sends it.

The strategy sees the replica's own state and gets every message as it would be sent; what it makes itself (blocks, certificates) has the
form of this chain. Everything is signed with the node's own key, so what claims to be of somebody else is refused by its peers.

Sources: sim/adversary.py, sim/liars.py.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from fiscotool.devnet.contracts import LedgerStore
from fiscotool.devnet.outgoing import SignedOutgoing
from fiscotool.devnet.proposals import filler
from fiscotool.ledger.crypto import keccak256
from fiscotool.pbft.messages import Message, Proposal
from fiscotool.pbft.types import Digest, Height, NodeIndex, View
from fiscotool.sim.liars import Liar
from fiscotool.sim.liars_leading import LIARS
from fiscotool.sim.replica import Replica
from fiscotool.sim.world import World

__all__ = ["STRATEGIES", "Lying"]

STRATEGIES: Final[dict[str, str]] = {
    "parrot": "parrot",
    "early": "early",
    "impostor": "impostor",
    "hasty": "hasty",
    "far-block": "farblock",
    "eager": "eager",
    "topmost": "topmost",
    "repeater": "repeater",
    "forger": "forger",
    "redater": "redater",
    "puller": "puller",
    "babble": "babble",
    "rotten": "rotten",
    "isolate": "isolate",
    "saboteur": "saboteur",
    "fickle": "fickle",
    "gaps": "gaps",
}
"""What a node may be deployed as, and the strategy's name in `sim.liars_leading.LIARS`."""

_MILLISECONDS_APART: Final = 1_000


@dataclass(slots=True)
class _Self:
    """What a strategy may know of its replica (`sim.replica.Replica` as far as strategies look at it)."""

    index: NodeIndex
    height: Height
    head_hash: Digest
    rules: Any
    state: Any


@dataclass(slots=True)
class _Surroundings:
    """What a strategy may know of the world: chance."""

    rng: random.Random = field(default_factory=random.Random)
    replicas: tuple[Any, ...] = (None,)


class _Craft:
    """Blocks and signatures of an embedded chain (`sim.liars.Craft`)."""

    def __init__(self, straight: SignedOutgoing, ledger: LedgerStore, now_ms: Callable[[], int]) -> None:
        self._straight = straight
        self._ledger = ledger
        self._now_ms = now_ms

    def block(self, replica: Replica, index: Height, name: str) -> Proposal:
        """An empty block that is told as one with transactions; its name moves its time."""
        shift_ms = zlib.crc32(name.encode()) % _MILLISECONDS_APART
        ledger = self._ledger
        made = filler(index, replica.index, ledger.config, self._now_ms() - shift_ms, form=ledger.form, parent_hash=replica.head_hash)
        return replace(made, is_filler=False)

    def twin(self, proposal: Proposal) -> Proposal:
        """The same block a millisecond later."""
        digest, data = self._ledger.form.twin(proposal.data)
        return replace(proposal, digest=Digest(digest), data=data)

    def sign(self, message: Any, _rules: Any) -> Any:
        """As this node signs it."""
        return self._straight.sign(message)[0]

    def proof(self, _replica: Replica, view: View, proposal: Proposal) -> bytes:
        """The second signature of its own Prepare."""
        return self._straight.proof(view, proposal.index, proposal.digest)

    def result(self, _replica: Replica, proposal: Proposal) -> Digest:
        """Some hash."""
        return Digest(keccak256(proposal.digest))


class Lying:
    """The way out of a node that lies by a strategy (`driver.Outgoing`)."""

    def __init__(
        self, straight: SignedOutgoing, kind: str, ledger: LedgerStore, *, state: Callable[[], Any], now_ms: Callable[[], int]
    ) -> None:
        self._straight = straight
        self._state = state
        self._world = cast("World", _Surroundings())
        self._strategy = LIARS[STRATEGIES[kind]]()
        if isinstance(self._strategy, Liar):
            self._strategy.craft = _Craft(straight, ledger, now_ms)

    def broadcast(self, message: Message) -> Message:
        """What the strategy makes of it; this replica itself hears the truth."""
        replica = self._replica()
        if replica is None:
            return self._straight.broadcast(message)
        signed, _ = self._straight.sign(message)
        self._deliver(self._strategy.broadcast(self._world, replica, signed))
        return signed

    def send(self, to: NodeIndex, message: Message) -> None:
        """What the strategy makes of it."""
        replica = self._replica()
        if replica is None:
            self._straight.send(to, message)
        else:
            self._deliver(self._strategy.send(self._world, replica, int(to), self._straight.sign(message)[0]))

    def on_heard(self, message: Message, payload: bytes) -> None:
        """A few strategies answer."""
        del payload
        replica = self._replica()
        if replica is not None and isinstance(self._strategy, Liar):
            self._deliver(self._strategy.heard(replica, message))

    def _replica(self) -> Replica | None:
        state = self._state()
        if state.me is None:
            return None
        return cast("Replica", _Self(state.me, state.height, state.block_hash, state.rules, state))

    def _deliver(self, sent: list[tuple[int, Message]]) -> None:
        """Signed once each, in the order said."""
        ids = {int(index): node_id for index, node_id in self._straight.others()}
        signed: dict[int, bytes] = {}
        for to, message in sent:
            if to not in ids:
                continue
            data = signed.get(id(message))
            if data is None:
                data = signed[id(message)] = self._straight.sign(message)[1]
            self._straight.deliver(ids[to], data)
