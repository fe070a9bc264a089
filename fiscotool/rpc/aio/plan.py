"""What a load is and what came of it, as values.

Rule 1. Times are readings of one monotonic clock, in seconds. `due_clock_s` is when a transaction should have been sent: with an open
        loop, latency counts from there, so that a stalled chain cannot hide behind a client that waits for it.
Rule 2. An outcome is committed (a receipt came, or a block lists it), refused (the node said no: definitely not done) or unknown
        (sent, no usable answer). What was never sent has no outcome; it is counted as unsent.
Rule 3. Native transactions of 3.x are answered after the commit. The two other kinds are answered when the pool has them: such an answer
        is no outcome yet, and the transaction counts as unanswered until a block lists it (rpc.aio.confirm).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from fiscotool.errors import UsageError
from fiscotool.rpc.tls import TlsFiles


class TxKind(StrEnum):
    """Kinds of transactions, by how they are sent."""

    NATIVE = "native"
    """Tars bytes through sendTransaction of 3.x."""
    NATIVE2 = "native2"
    """RLP bytes through sendRawTransaction of 2.x."""
    ETHEREUM = "ethereum"
    """RLP bytes through eth_sendRawTransaction of 3.x's Ethereum port."""


@dataclass(frozen=True, slots=True)
class PreparedTx:
    """A signed transaction: its hash, and its bytes in hex as the node takes them."""

    tx_hash: str
    raw_hex: str


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """A node to send to. `kind`: what is sent to it; all targets of a load take the same kind."""

    name: str
    url: str
    group: str = "group0"
    tls: TlsFiles | None = None
    kind: TxKind = TxKind.NATIVE


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How to send.

    `rate_per_s`: an open loop, one transaction every 1/rate seconds whatever the nodes do, at most `outstanding_max` unanswered.
    None: a closed loop, always `outstanding_max` unanswered. `send_for_s`: no new ones after that (None: until there are no more).
    `answer_within_s`: an unanswered transaction is unknown after that. `deadline_s` bounds everything.
    """

    outstanding_max: int
    rate_per_s: float | None = None
    send_for_s: float | None = None
    answer_within_s: float = 30.0
    deadline_s: float = 600.0

    def __post_init__(self) -> None:
        if self.outstanding_max < 1:
            raise UsageError(f"{self.outstanding_max} outstanding transactions is less than one", hint="give 1 or more")
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise UsageError(f"a rate of {self.rate_per_s:g} transactions a second is none", hint="give a rate above 0")
        if self.answer_within_s <= 0 or self.deadline_s <= 0:
            raise UsageError("a time limit of 0 s or less leaves no time for anything", hint="give a limit above 0")


@dataclass(frozen=True, slots=True)
class TxOutcome:
    """What came of one transaction. `status` is the receipt's (None: not told), `code` the error code of a refusal.

    `accepted`: a pool has it; this is never what a load ends with.
    """

    tx_hash: str
    node: str
    due_clock_s: float
    sent_clock_s: float
    got_clock_s: float
    outcome: Literal["committed", "refused", "unknown", "accepted"]
    block_number: int | None = None
    status: int | None = None
    code: int | None = None
    error: str = ""

    @property
    def latency_s(self) -> float:
        """From when it was due to its answer."""
        return self.got_clock_s - self.due_clock_s


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is."""

    elapsed_s: float
    sent_count: int
    committed_count: int
    refused_count: int
    unknown_count: int
    outstanding_count: int


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of a load. `interrupted`: it ended by Ctrl-C or `stop`; what was outstanding then is unknown."""

    outcomes: tuple[TxOutcome, ...]
    elapsed_s: float
    unsent_count: int
    interrupted: bool
    client_cpu_s: float

    def count(self, outcome: str) -> int:
        """How many had this outcome."""
        return sum(item.outcome == outcome for item in self.outcomes)

    @property
    def committed_per_s(self) -> float:
        """Committed transactions a second, from the first sent to the last committed."""
        done = [item for item in self.outcomes if item.outcome == "committed"]
        if not done:
            return 0.0
        span_s = max(item.got_clock_s for item in done) - min(item.sent_clock_s for item in self.outcomes)
        return len(done) / span_s if span_s > 0 else 0.0

    def latency_s(self, share: float) -> float | None:
        """The latency that `share` (0 to 1) of the committed transactions did not exceed; None without any."""
        latencies = sorted(item.latency_s for item in self.outcomes if item.outcome == "committed")
        return latencies[min(len(latencies) - 1, int(share * len(latencies)))] if latencies else None
