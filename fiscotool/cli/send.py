"""`send`: signed transactions, and what became of each."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fiscotool.cli.options import dir_option, json_option, load_chain
from fiscotool.cli.output import Output
from fiscotool.errors import ExitCode, RpcError, UsageError

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain
    from fiscotool.drills.tx_source import TxSource
    from fiscotool.rpc.aio.plan import LoadProgress, LoadResult, PreparedTx, TxKind, TxOutcome


@click.command()
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option(
    "--rate", "rate_per_s", type=click.FloatRange(min=0, min_open=True), help="How many a second; default: as fast as answers come."
)
@click.option(
    "--outstanding",
    type=click.IntRange(min=1, max=20000),
    default=None,
    help="Unanswered ones, so connections, at most; default: 200, with --rate four seconds' worth between 200 and 2000.",
)
@click.option(
    "--kind",
    type=click.Choice(["auto", "bcos", "web3"]),
    default="auto",
    show_default=True,
    help="bcos: the chain's own kind (3.x: Tars, 2.x: RLP); web3: Ethereum, through 8545; auto: web3 with --key, else bcos.",
)
@click.option(
    "--key", "key_path", type=click.Path(path_type=Path), help="File of the sender's key: PEM, or 64 hex digits; default: a fresh one."
)
@click.option("--within", "answer_within_s", default=30.0, show_default=True, help="Seconds after which no answer means unknown.")
@dir_option
@json_option
def send(
    count: int,
    rate_per_s: float | None,
    outstanding: int | None,
    kind: str,
    key_path: Path | None,
    answer_within_s: float,
    directory: Path,
    output: Output,
) -> int:
    """Send signed transactions and say what became of each.

    committed: a receipt came, or a block has it; refused: a node said no; unknown: sent, and no answer, so it may still be committed.

    \b
    Example: fiscotool send
             fiscotool send --count 1000 --rate 100
             fiscotool send --kind web3 --key account.pem
    """
    from fiscotool.drills.workload import load_targets, outstanding_for
    from fiscotool.rpc.aio.load import LoadClient
    from fiscotool.rpc.aio.plan import LoadPlan

    chain = load_chain(directory)
    tx_kind, source = _source(chain, kind, key_path)
    plan = LoadPlan(
        outstanding_max=outstanding or outstanding_for(rate_per_s),
        rate_per_s=rate_per_s,
        answer_within_s=answer_within_s,
        deadline_s=answer_within_s * 2 + (count / rate_per_s if rate_per_s else 3600.0),
    )

    def follow(outcome: TxOutcome) -> None:
        source.height = max(source.height, outcome.block_number or 0)

    def show(progress: LoadProgress) -> None:
        output.progress(f"{progress.elapsed_s:5.1f} s  sent {progress.sent_count}, committed {progress.committed_count}")

    result = LoadClient(load_targets(chain, tx_kind), plan, on_outcome=follow, on_progress=show).run(_some(source, count))
    output.progress_done()
    output.show(facts(result), lambda: words(result))
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if result.count("committed") == count else ExitCode.RPC


def _source(chain: Chain, kind: str, key_path: Path | None) -> tuple[TxKind, TxSource]:
    """What is sent, and where it comes from."""
    from fiscotool.drills.tx_source import EthereumSource, NativeSource, kind_of, read_key
    from fiscotool.drills.workload import height_of, load_targets
    from fiscotool.ledger.crypto import KeyPair
    from fiscotool.rpc.aio.plan import TxKind
    from fiscotool.rpc.eth_client import EthClient

    key = read_key(key_path) if key_path is not None else KeyPair.generate()
    if kind == "bcos" or (kind == "auto" and key_path is None):
        return kind_of(chain), NativeSource(chain, height=height_of(chain), key=key)
    last: RpcError | None = None
    for target in load_targets(chain, TxKind.ETHEREUM):
        with contextlib.closing(EthClient(target.url, name=target.name)) as client:
            try:
                return TxKind.ETHEREUM, EthereumSource.for_node(client, key)
            except RpcError as problem:
                last = problem
    raise last or UsageError("the chain has no nodes")


def _some(source: TxSource, count: int) -> Iterator[PreparedTx]:
    return itertools.islice(iter(source), count)


def facts(result: LoadResult) -> dict[str, Any]:
    """The figures, latencies in seconds."""
    return {
        "submitted": len(result.outcomes),
        "committed": result.count("committed"),
        "failed": result.count("refused"),
        "unknown": result.count("unknown"),
        "unsent": result.unsent_count,
        "elapsed_s": round(result.elapsed_s, 3),
        "committed_per_s": round(result.committed_per_s, 1),
        "latency_s": {name: result.latency_s(share) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))},
        "transactions": [
            {"hash": item.tx_hash, "node": item.node, "outcome": item.outcome, "block": item.block_number, "error": item.error}
            for item in result.outcomes
        ],
    }


def words(result: LoadResult) -> str:
    """The figures for people, with the errors there were."""
    latency = "  ".join(
        f"{name} {1000 * value:.0f} ms"
        for name, value in ((name, result.latency_s(share)) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)))
        if value is not None
    )
    errors = sorted({f"{item.node}: {item.outcome}: {item.error}" for item in result.outcomes if item.outcome != "committed"})
    one = [f"transaction {item.tx_hash} is in block {item.block_number}" for item in result.outcomes if item.block_number is not None]
    speed = f"{result.committed_per_s:.1f} transactions/s over {result.elapsed_s:.1f} s; " if len(result.outcomes) > 1 else ""
    return "\n".join(
        [
            f"submitted {len(result.outcomes)}  committed {result.count('committed')}  failed {result.count('refused')}"
            f"  unknown {result.count('unknown')}" + (f"  never sent {result.unsent_count}" if result.unsent_count else ""),
            f"{speed}latency {latency or 'none'}",
            *(one if len(result.outcomes) == 1 else []),
            *errors[:5],
            *(
                ["InsufficientFunds: nodes take Ethereum transactions of accounts with a balance only; on an embedded chain: deploy --fund"]
                if any("InsufficientFunds" in error for error in errors)
                else []
            ),
        ]
    )
