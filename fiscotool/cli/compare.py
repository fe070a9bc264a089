"""`compare-protocols`: what a block and a change of leader cost, side by side."""

from __future__ import annotations

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import UsageError

NODES_MAX = 128


@click.command("compare-protocols")
@click.option("--nodes", "sizes", default="4,7,16", show_default=True, metavar="N,N,…", help="Group sizes, each from 4 to 128.")
@json_option
def compare_protocols(output: Output, sizes: str) -> None:
    """Compare what protocols cost: messages, bytes, signatures, delays.

    fisco3, fisco2 and classic are simulated and measured; raft and hotstuff are calculated from their papers (marked *). The cost
    model is one for all: docs/comparison.md.

    \b
    Example: fiscotool compare-protocols --nodes 4,7
    """
    from fiscotool.sim.costs import compare

    parts = [part.strip() for part in sizes.split(",")]
    if not all(part.isdigit() and 4 <= int(part) <= NODES_MAX for part in parts):  # noqa: PLR2004 (3f + 1 with f = 1)
        raise UsageError(f"--nodes {sizes!r} is no list of sizes from 4 to {NODES_MAX}", hint="write for instance --nodes 4,7,16")
    costs = compare([int(part) for part in parts])
    heads = (
        "nodes",
        "protocol",
        "tolerates",
        "messages/block",
        "kB/block",
        "signed",
        "verified",
        "delays first-last",
        "leader change msgs",
        "kB",
        "tx/s bound",
    )
    rows = [
        (
            cost.nodes,
            cost.protocol + ("*" if cost.is_formula else ""),
            cost.tolerates,
            f"{cost.messages:.0f}",
            f"{cost.kilobytes:.0f}",
            f"{cost.signed:.0f}",
            f"{cost.verified:.0f}",
            f"{cost.delays_first:g}-{cost.delays_last:g}",
            f"{cost.change_messages:.0f}",
            f"{cost.change_kilobytes:.1f}",
            cost.txs_per_s,
        )
        for cost in costs
    ]
    output.show(costs, lambda: table(heads, rows) + "\n* calculated, not run")
