"""`compare-protocols`: what a block and a change of leader cost, measured, side by side and beside what articles say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from fiscotool.cli.compare_text import model_line, tables
from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output
from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fiscotool.sim.costs import Cost
    from fiscotool.sim.prices import Prices

NODES_MIN = 4
NODES_MAX = 128


@click.command("compare-protocols")
@click.option("--nodes", "sizes", default="4,7,16", show_default=True, metavar="N,N,…", help="Group sizes, each from 4 to 128.")
@click.option("--block-txs", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="Transactions a block.")
@click.option("--tx-bytes", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Bytes a transaction.")
@click.option("--delay-ms", type=click.FloatRange(0.01, 10_000), default=10.0, show_default=True, help="Mean network delay; ±20 %.")
@click.option("--bandwidth-mbit", type=click.FloatRange(0.1, 1e6), default=1_000.0, show_default=True, help="Outgoing link of a replica.")
@click.option("--measure-crypto", is_flag=True, help="Take the times of signatures from this machine.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curves into this file.")
@click.option("--out", "directory", type=click.Path(path_type=Path, file_okay=False), help="Write comparison.svg and .json there.")
@json_option
def compare_protocols(output: Output, sizes: str, svg: Path | None, directory: Path | None, **options: Any) -> None:
    """Compare what protocols cost: messages, bytes, signatures, time.

    Replicas of fisco3, fisco2, classic, raft and hotstuff make blocks in virtual time and lose a leader; everything is counted and has
    a price. Model, claims of articles and what is wrong with them: docs/comparison.md.

    \b
    Example: fiscotool compare-protocols --nodes 4,7
    Example: fiscotool compare-protocols --nodes 4,7,16,31,64,100 --svg curves.svg
    """
    from fiscotool.sim.articles import judge
    from fiscotool.sim.costs import compare

    prices = _prices(output, **options)
    counts = _sizes(sizes)
    total = len(counts)

    def report(protocol: str, nodes: int) -> None:
        output.progress(f"{protocol} with {nodes} nodes (size {counts.index(nodes) + 1} of {total})")

    costs = compare(counts, prices, report=report)
    output.progress_done()
    verdicts = judge(costs)
    data = {"model": asdict(prices), "costs": [asdict(cost) for cost in costs], "articles": [asdict(verdict) for verdict in verdicts]}
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "comparison.json").write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    for path in (svg, directory / "comparison.svg" if directory is not None else None):
        if path is not None:
            _draw(path, costs, prices)
            output.say(f"curves: {path}")
    output.show(data, lambda: tables(costs, verdicts, prices))


def _sizes(text: str) -> list[int]:
    """`--nodes` as numbers, each once. Raises UsageError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and NODES_MIN <= int(part) <= NODES_MAX for part in parts):
        raise UsageError(f"--nodes {text!r} is no list of sizes from {NODES_MIN} to {NODES_MAX}", hint="write for instance --nodes 4,7,16")
    return sorted({int(part) for part in parts})


def _prices(output: Output, *, block_txs: int, tx_bytes: int, delay_ms: float, bandwidth_mbit: float, measure_crypto: bool) -> Prices:
    """The model with the user's numbers in it."""
    from fiscotool.sim.prices import Prices

    prices = Prices(
        block_txs=block_txs,
        tx_bytes=tx_bytes,
        delay_low_s=0.8e-3 * delay_ms,
        delay_high_s=1.2e-3 * delay_ms,
        bandwidth_bytes_s=bandwidth_mbit * 1e6 / 8,
    )
    if not measure_crypto:
        return prices
    from fiscotool.cli.compare_crypto import measure_crypto as measured

    times = measured()
    output.say("; ".join(f"{name.removesuffix('_s')} {value * 1e3:.3f} ms" for name, value in times.items()))
    return Prices(**{**asdict(prices), **times})


def _draw(path: Path, costs: Sequence[Cost], prices: Prices) -> None:
    """The curves as a file."""
    from fiscotool.cli.compare_svg import render

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(costs, model_line(prices)), encoding="utf-8")
