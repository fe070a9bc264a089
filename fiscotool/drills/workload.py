"""Load on a chain: signed transactions at a steady rate, each with its outcome, beside a drill or for `fiscotool send`.

Rule 1. The transactions are ordinary ones of the chain's own kind (drills.tx_source).
Rule 2. What stays unanswered at the end is unknown, not failed.

Sources: spec 3.x 6.1.7 (sendTransaction answers after the commit); spec 2.x 2.1 (sendRawTransaction answers when the pool has it).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from fiscotool.chain.model import Chain
from fiscotool.consistency.observations import TxSeen
from fiscotool.drills.targets import client_for
from fiscotool.drills.tx_source import NativeSource, kind_of
from fiscotool.errors import RpcError, Unreachable, UsageError
from fiscotool.rpc.aio.load import LoadClient
from fiscotool.rpc.aio.plan import LoadPlan, LoadTarget, PreparedTx, TxKind, TxOutcome
from fiscotool.rpc.tls import TlsFiles

_ANSWER_WITHIN_S = 30.0
_LAST_ANSWERS_S = 5.0
_OUTSTANDING_MIN, _OUTSTANDING_MAX = 200, 2000


def outstanding_for(rate_per_s: float | None, *, stall_s: float = 4.0) -> int:
    """How many unanswered transactions a load may have, each of them a connection.

    What comes due in a stall of `stall_s` (one view change by default) is sent in time; later ones wait, and their latency counts from
    when they were due. At most 2,000: more would take the nodes' files and time away from the chain that is observed.
    """
    return _OUTSTANDING_MIN if rate_per_s is None else max(_OUTSTANDING_MIN, min(_OUTSTANDING_MAX, int(rate_per_s * stall_s)))


def discard(seen: TxSeen) -> None:
    """Nobody listens."""
    del seen


def load_targets(chain: Chain, kind: TxKind | None = None) -> list[LoadTarget]:
    """Every node of the chain, to send to in turn. `kind` None: the chain's own. Raises UsageError when no node takes the kind."""
    if kind is TxKind.ETHEREUM:
        targets = [LoadTarget(node.name, node.web3_url, kind=kind) for node in chain.nodes if node.web3_enabled]
        if not targets:
            raise UsageError(
                "no node of the chain has the Ethereum JSON-RPC on", hint="set [web3_rpc] enable=true in its config.ini (3.x only)"
            )
        return targets
    return [
        LoadTarget(
            node.name,
            node.rpc_url,
            chain.group_id,
            TlsFiles.from_sdk(node.sdk_directory) if node.rpc_tls else None,
            kind or kind_of(chain),
        )
        for node in chain.nodes
    ]


def height_of(chain: Chain) -> int:
    """The height the first answering node tells. Raises Unreachable when none answers."""
    for node in chain.nodes:
        with client_for(node, group=chain.group_id, timeout_s=2.0) as client:
            try:
                return client.block_number()
            except RpcError:
                continue
    raise Unreachable(f"no node of {chain.root} answers", hint="start them: fiscotool start --all")


def seen_from(outcome: TxOutcome, since_start: Callable[[float], float]) -> TxSeen:
    """The outcome in the words of a recording."""
    return TxSeen(
        tx_hash=outcome.tx_hash,
        node=outcome.node,
        sent_s=since_start(outcome.sent_clock_s),
        got_s=since_start(outcome.got_clock_s),
        line=0,
        outcome=outcome.outcome,
        block_number=outcome.block_number,
        status=outcome.status,
        error=outcome.error,
    )


class Workload:
    """A steady load in a thread of its own, from entering to leaving. A rate of 0 is no load."""

    def __init__(
        self,
        chain: Chain,
        *,
        rate_per_s: float,
        on_result: Callable[[TxSeen], None] = discard,
        since_start: Callable[[float], float] = float,
    ) -> None:
        self._rate_per_s = rate_per_s
        self._on_result = on_result
        self._since_start = since_start
        self._source = NativeSource(chain, height=height_of(chain) if rate_per_s > 0 else 0)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._enough = threading.Event()
        if rate_per_s > 0:
            plan = LoadPlan(
                outstanding_max=outstanding_for(rate_per_s, stall_s=_ANSWER_WITHIN_S),
                rate_per_s=rate_per_s,
                answer_within_s=_ANSWER_WITHIN_S,
                deadline_s=24 * 3600.0,
            )
            self._client = LoadClient(load_targets(chain), plan, on_outcome=self._settle)

    def __enter__(self) -> Self:
        """Begin to send."""
        if self._rate_per_s > 0:
            self._thread = threading.Thread(target=self._work, name="workload", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Send no more, give the answers under way a moment, then count the rest as unknown."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._enough.set()
        thread.join(_LAST_ANSWERS_S)
        if thread.is_alive():
            self._client.stop()
            thread.join(_LAST_ANSWERS_S)
        if self._failure is not None and kind is None:
            raise self._failure

    def _work(self) -> None:
        try:
            self._client.run(self._until_enough())
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread that leaves the workload
            self._failure = failure

    def _until_enough(self) -> Iterator[PreparedTx]:
        for tx in self._source:
            if self._enough.is_set():
                return
            yield tx

    def _settle(self, outcome: TxOutcome) -> None:
        if outcome.block_number is not None:
            self._source.height = max(self._source.height, outcome.block_number)
        self._on_result(seen_from(outcome, self._since_start))
