"""Every recorded request against four real embedded nodes: what cannot be equal on another chain must have the same type and format.

Requests about recorded blocks, transactions and nodes are translated to those of this chain, which is given the same transactions as the
recorded one, one a block. tests/recordings/test_contract_v3.py compares the values.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from tests.devnet.chains import Running, make_chain, running, until
from tests.devnet.rpc_world import recorded_blocks
from tests.recordings.contract import TREATMENTS, Difference, differences, format_of, is_excused, left_out, method_of
from tests.recordings.exchange import Reply, exchange
from tests.recordings.test_contract_v3 import FILES, http_problems, result_of, rows

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(bytes(31) + b"\x0e")
NO_CONTRACT = r".*\.(contractAddress|checksumContractAddress|message|output)"
"""Receipts of deployments differ here: the embedded chain runs no code (docs/rpc.md, R6)."""
QUANTITIES = r".*\.(r|s|nonce)"
"""Texts whose length depends on their value."""


class Translation:
    """What the recorded chain's names are called on this one."""

    def __init__(self, run: Running) -> None:
        self.run = run
        self.words: dict[str, str] = {}
        recorded = [json.loads(result_of("read_methods_genesis", node, "fisco", "getConsensusStatus")) for node in range(4)]
        sealers = run.status("node0")["consensusNodeList"]
        for one, other in zip(recorded[0]["consensusNodeList"], sealers, strict=True):
            self.words[one["nodeID"]] = other["nodeID"]
        names = {run.status(node.name)["index"]: node.name for node in run.chain.nodes}
        self.node_of = {node: names[status["index"]] for node, status in enumerate(recorded)}
        self.add_block(0)

    def add_block(self, number: int) -> None:
        recorded = recorded_blocks()[number]["block"]["result"]
        block = self.run.call("node0", "getBlockByNumber", number, False, True)
        self.words[recorded["hash"]] = block["hash"]
        if number == 1:
            self.words[recorded["parentInfo"][0]["blockHash"]] = block["parentInfo"][0]["blockHash"]
        transactions = [one["hash"] for one in recorded["transactions"]]
        self.words |= dict(zip(transactions, block["transactions"], strict=True))

    def request(self, row: dict[str, Any]) -> dict[str, Any]:
        text = row["request"]
        for word, other in self.words.items():
            text = text.replace(word, other) if text else text
        genesis_hash = json.loads(result_of("read_methods_genesis", 0, "fisco", "getSyncStatus"))["genesisHash"]
        genesis = self.run.call("node0", "getBlockHashByNumber", 0)
        return row | {"request": text.replace(f"0x{genesis_hash}", genesis) if text else text}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root: Path = tmp_path_factory.mktemp("contract") / "nodes"
    with running(make_chain(root)) as run:
        until(
            lambda: run.is_ready() and all(len(run.call(name, "getGroupPeers")) >= 0 for name in run.processes), within_s=60, what="ready"
        )
        yield run


def port_of(run: Running, translation: Translation, row: dict[str, Any]) -> int:
    home = run.node(translation.node_of[row["node"]])
    return home.rpc_port if row["api"] == "fisco" else home.web3_port


def is_allowed(row: dict[str, Any], difference: Difference) -> bool:
    """Whether another chain may differ so."""
    path, recorded, answered = difference
    fitting = [one for one in TREATMENTS if one.fits(row["api"], method_of(row), path, row["node"]) and one.row != "R0"]
    if any(is_excused(difference, one) for one in fitting):
        return True
    if not path.startswith(".result") or "(absent)" in (recorded, answered):
        return False
    if re.fullmatch(NO_CONTRACT, path):
        return answered in {None, ""} or format_of(answered).startswith("0x") or (path.endswith("message") and isinstance(answered, str))
    if re.fullmatch(QUANTITIES, path):
        return isinstance(recorded, str) and isinstance(answered, str) and answered.startswith("0x") == recorded.startswith("0x")
    return format_of(recorded) == format_of(answered)


async def compared(run: Running, translation: Translation, name: str) -> tuple[list[str], Counter[str]]:
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for row in rows(name):
        if left_out(row) is not None:
            counts["left out"] += 1
            continue
        counts["compared"] += 1
        reply: Reply = await exchange(port_of(run, translation, row), translation.request(row))
        problems = http_problems(row, reply)
        if row["response_raw"]:
            found = [one for one in differences(row["response"], json.loads(reply.body)) if not is_allowed(row, one)]
            problems += [f"{one.path}: recorded {one.recorded!r:.200}, answered {one.answered!r:.200}" for one in found]
        wrong += [f"{row['api']} {row.get('note', '')} {row['request']!r:.160}: {problem}" for problem in problems]
    return wrong, counts


def _is_everywhere(run: Running, number: int) -> bool:
    return all(run.height(name) >= number for name in run.processes)


def send_the_recorded_transactions(run: Running, translation: Translation) -> None:
    for number in range(1, 10):
        (recorded,) = recorded_blocks()[number]["block"]["result"]["transactions"]
        tx = build_transaction(
            chain_id="chain0",
            group_id="group0",
            block_limit=number + 400,
            nonce=str(10**18 + number),
            to=recorded["to"],
            input=bytes.fromhex(recorded["input"][2:]),
            key=KEY,
        )
        receipt = run.call("node0", "sendTransaction", f"0x{encode_transaction(tx).hex()}", False)
        assert receipt["blockNumber"] == number
        until(partial(_is_everywhere, run, number), within_s=60, what=f"block {number}")
        translation.add_block(number)


def test_every_recorded_request_against_real_nodes(chain: Running) -> None:
    translation = Translation(chain)
    wrong: list[str] = []
    total: Counter[str] = Counter()
    for name, height in FILES.items():
        if height:
            send_the_recorded_transactions(chain, translation)
        found, counts = asyncio.run(compared(chain, translation, name))
        wrong += found
        total += counts
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:40])
    assert total == Counter({"compared": 1229, "left out": 24})
