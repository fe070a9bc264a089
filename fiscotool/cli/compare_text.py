"""The tables of `compare-protocols`, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fiscotool.cli.output import table

if TYPE_CHECKING:
    from fiscotool.sim.articles import Verdict
    from fiscotool.sim.costs import Cost
    from fiscotool.sim.prices import Prices


def model_line(prices: Prices) -> str:
    """The model in a line."""
    return (
        f"model: blocks of {prices.block_txs} transactions of {prices.tx_bytes} bytes, delay {prices.delay_low_s * 1e3:g}–"
        f"{prices.delay_high_s * 1e3:g} ms, {prices.bandwidth_bytes_s * 8 / 1e6:g} Mbit/s out, one core, "
        f"verify {prices.verify_s * 1e3:.2g} ms, BLS share {prices.bls_sign_s * 1e3:.2g} ms, "
        f"aggregate {prices.bls_verify_s * 1e3:.2g} ms, timers from {prices.timeout_s:g} s"
    )


def tables(costs: Sequence[Cost], verdicts: Sequence[Verdict], prices: Prices) -> str:
    """Three tables: a block, a change of leader, the articles."""
    parts = (
        model_line(prices),
        "\na block, alone (whole group), and under load:",
        _blocks(costs),
        "\na dead leader; also with a prepared block in hand:",
        _changes(costs),
        "\narticles beside measurements (docs/comparison.md):",
        _articles(verdicts),
    )
    return "\n".join(parts)


def _blocks(costs: Sequence[Cost]) -> str:
    work = ("signed", "verified", "shares", "pairings")
    heads = ("nodes", "protocol", "tolerates", "msgs", "kB", *work, "delays", "latency ms", "tx/s", "msgs, loaded")
    rows = [
        (
            cost.nodes,
            cost.protocol,
            cost.tolerates,
            f"{cost.messages:g}",
            f"{cost.kilobytes:.0f}",
            f"{cost.signed:g}",
            f"{cost.verified:g}",
            f"{cost.aggregated:g}",
            f"{cost.pairings:g}",
            f"{cost.delays_first:g}-{cost.delays_last:g}",
            f"{cost.latency_ms:.0f}",
            cost.txs_per_s,
            f"{cost.loaded_messages:.0f}",
        )
        for cost in costs
    ]
    return table(heads, rows)


def _changes(costs: Sequence[Cost]) -> str:
    heads = ("nodes", "protocol", "msgs", "kB", "verified", "prepared: msgs", "kB", "verified", "recovery s")
    rows = [
        (
            cost.nodes,
            cost.protocol,
            cost.change_messages,
            f"{cost.change_kilobytes:.1f}",
            cost.change_verified,
            cost.worst_messages,
            f"{cost.worst_kilobytes:.1f}",
            cost.worst_verified,
            f"{cost.recovery_s:.2f}",
        )
        for cost in costs
    ]
    return table(heads, rows)


def _articles(verdicts: Sequence[Verdict]) -> str:
    heads = ("protocol", "faults", "replicas", "phases", "delays", "block claimed", "measured", "change claimed", "measured", "worst")
    rows = [
        (
            verdict.protocol,
            verdict.faults,
            verdict.replicas,
            verdict.claimed_phases,
            f"{verdict.delays:g}",
            f"n^{verdict.claimed_block_power}",
            _power(verdict.block_power),
            f"n^{verdict.claimed_change_power} {verdict.change_note}",
            f"{_power(verdict.change_power)} messages",
            f"{_power(verdict.worst_power)} {verdict.change_note}",
        )
        for verdict in verdicts
    ]
    return table(heads, rows)


def _power(exponent: float | None) -> str:
    """A measured exponent."""
    return "-" if exponent is None else f"n^{exponent:.2f}"
