"""Costs of protocols: measured counts are the closed formulas of docs/comparison.md, and the table is what the command prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from fiscotool.cli.main import cli
from fiscotool.pbft.quorum import quorum_weight
from fiscotool.protocols.registry import PROTOCOLS
from fiscotool.sim.articles import growth, judge
from fiscotool.sim.costs import MEASURED, Cost, change_leader, measure
from fiscotool.sim.prices import Prices


@cache
def cost_of(protocol: str, nodes: int) -> Cost:
    """Measured once for all tests."""
    return measure(protocol, nodes)


MESSAGES: dict[str, Callable[[int], float]] = {
    "fisco3": lambda n: (n - 1) + 3 * n * (n - 1),
    "fisco2": lambda n: (n - 1) + 2 * n * (n - 1),
    "classic": lambda n: (n - 1) + (n - 1) ** 2 + n * (n - 1) + n * (n - 1) / 5,
    "raft": lambda n: 4 * (n - 1),
    "hotstuff": lambda n: 8 * (n - 1),
}
"""A block alone. Raft: entries, replies, the commit, replies. HotStuff: four nodes and the votes for them."""


@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize("protocol", MEASURED)
def test_measured_messages_are_the_formula(protocol: str, n: int) -> None:
    assert cost_of(protocol, n).messages == pytest.approx(MESSAGES[protocol](n))


@pytest.mark.parametrize("n", [4, 7])
def test_signature_operations_are_the_formula(n: int) -> None:
    q = quorum_weight(n)
    for protocol in ("fisco3", "fisco2", "classic"):
        cost = cost_of(protocol, n)
        assert cost.verified == pytest.approx(cost.messages), "every message of these has one signature"
        assert (cost.aggregated, cost.pairings) == (0, 0)
    raft, hotstuff = cost_of("raft", n), cost_of("hotstuff", n)
    assert (raft.signed, raft.verified) == (0, 0)
    # Four proposals are signed and all vote for each. A certificate is made of the shares of a quorum by who collects them, and
    # verified by the others as an aggregate; the first node stands on the beginning, the last one's certificate is not shown any more.
    assert hotstuff.signed == 4 + 4 * n
    assert hotstuff.verified == 4 * (n - 1)
    assert hotstuff.aggregated == 4 * q
    assert hotstuff.pairings == 2 * (4 + 3 * (n - 1))


def test_a_phase_more_is_a_delay_more() -> None:
    delays = {protocol: (cost_of(protocol, 4).delays_first, cost_of(protocol, 4).delays_last) for protocol in MEASURED}
    assert delays == {"fisco3": (4, 4), "fisco2": (3, 3), "classic": (3, 3), "raft": (2, 3), "hotstuff": (6, 7)}


@pytest.mark.parametrize("n", [4, 7])
def test_under_load_chained_phases_share_their_messages(n: int) -> None:
    assert cost_of("hotstuff", n).loaded_messages == pytest.approx(2 * (n - 1), rel=0.1)
    assert cost_of("fisco2", n).loaded_messages == pytest.approx(MESSAGES["fisco2"](n), rel=0.1)


@pytest.mark.parametrize("n", [4, 7])
def test_a_dead_leader_costs_view_changes_of_the_living_and_a_new_view_where_there_is_one(n: int) -> None:
    asked = (n - 1) * (n - 1)
    assert cost_of("fisco2", n).change_messages == asked
    assert asked + n - 1 <= cost_of("classic", n).change_messages <= asked + n + 1
    assert asked + n - 1 <= cost_of("fisco3", n).change_messages <= asked + n + 4
    assert cost_of("raft", n).change_messages == (n - 1) + (n - 2) + (n - 1), "ask, answer, show oneself"
    assert cost_of("hotstuff", n).change_messages == n - 2, "each tells the next leader"


@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.parametrize("protocol", ["fisco3", "classic"])
def test_with_a_prepared_block_every_view_change_carries_a_certificate(protocol: str, n: int) -> None:
    q = quorum_weight(n)
    direct = (n - 1) * (n - 2) * (1 + q)
    nested = (n - 2) * (1 + q * (1 + q))
    worst = cost_of(protocol, n).worst_verified
    assert 0.75 * (direct + nested) <= worst <= 1.15 * (direct + nested), "late ones and those to the dead are not verified"


def test_the_change_grows_with_the_cube_in_signatures_and_the_square_in_messages() -> None:
    rows = [cost_of("fisco3", 4), cost_of("fisco3", 7), cost_of("fisco3", 16)]
    messages, signatures = growth(rows, "change_messages"), growth(rows, "worst_verified")
    assert messages is not None
    assert signatures is not None
    assert 1.9 < messages < 2.4
    assert 2.9 < signatures < 3.4
    assert growth(rows[:1], "messages") is None


def test_prices_matter() -> None:
    """A slow link makes blocks slow, a slow curve HotStuff; both would be missed by counting messages."""
    plain = Prices(block_txs=10)
    slow_link = replace(plain, bandwidth_bytes_s=1e5)
    slow_curve = replace(plain, bls_verify_s=0.1)
    assert measure("raft", 4, slow_link).latency_ms > measure("raft", 4, plain).latency_ms + 20
    assert measure("hotstuff", 4, slow_curve).latency_ms > measure("hotstuff", 4, plain).latency_ms + 300


def test_a_dead_replica_stops_hotstuff_of_four_for_two_timers_and_of_seven_for_one() -> None:
    """Three certificates in a row and a collector need four living leaders in turn; of four replicas with one dead there are three."""
    four, seven = (change_leader(PROTOCOLS["hotstuff"], n, Prices()).recovery_s for n in (4, 7))
    assert 6 < four < 6.5
    assert 3 < seven < 3.5


def test_the_articles_table_says_what_was_claimed_and_measured() -> None:
    verdicts = {verdict.protocol: verdict for verdict in judge([cost_of(name, n) for name in MEASURED for n in (4, 7)])}
    assert list(verdicts) == list(MEASURED)
    assert (verdicts["raft"].replicas, verdicts["raft"].faults) == ("2f+1", "crashes")
    assert verdicts["fisco3"].claimed_block_power == 2
    assert verdicts["fisco3"].block_power == pytest.approx(2, abs=0.3)
    assert verdicts["hotstuff"].block_power == pytest.approx(1, abs=0.3)


def test_the_command_prints_all_protocols_and_draws_them(tmp_path: Path) -> None:
    curves = tmp_path / "deep" / "curves.svg"
    arguments = ["compare-protocols", "--nodes", "4,4", "--json", "--svg", str(curves), "--out", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    told = json.loads(result.stdout)
    assert [row["protocol"] for row in told["costs"]] == list(MEASURED)
    assert told["model"]["block_txs"] == 1_000
    assert len(told["articles"]) == 5
    assert json.loads((tmp_path / "comparison.json").read_text()) == told
    drawn = ET.fromstring(curves.read_text())  # noqa: S314 (our own file)
    assert len(drawn.findall(".//{*}g")) == 6
    assert (tmp_path / "comparison.svg").read_text() == curves.read_text()
    assert "href" not in curves.read_text()


def test_the_text_states_the_model_and_one_size_has_no_growth() -> None:
    result = CliRunner().invoke(cli, ["compare-protocols", "--nodes", "4", "--block-txs", "10", "--delay-ms", "1"], standalone_mode=False)
    assert result.exception is None
    assert "blocks of 10 transactions of 200 bytes, delay 0.8–1.2 ms" in result.stdout
    assert "n^2" in result.stdout


@pytest.mark.parametrize("sizes", ["3", "x", "4,500", ""])
def test_other_sizes_are_refused(sizes: str) -> None:
    result = CliRunner().invoke(cli, ["compare-protocols", "--nodes", sizes], standalone_mode=False)
    assert getattr(result.exception, "exit_code", None) == 2
