"""`fiscotool audit` on a small embedded chain of real processes: it holds; a block doctored on one node's disk is found and named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiscotool.cli.main import run
from fiscotool.errors import ExitCode
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.header3 import decode_header, encode_header, hash_header
from fiscotool.ledger.tx3 import build_transaction, encode_transaction
from tests.devnet.chains import Running, make_chain, running
from tests.support.until import until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x07" * 32)
BLOCKS = 4


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(make_chain(tmp_path_factory.mktemp("audited") / "nodes")) as made:
        until(lambda: len(made.processes) == 4 and made.is_ready())
        for number in range(BLOCKS):
            tx = build_transaction(
                chain_id="chain0", group_id="group0", block_limit=500, to="11" * 20, input=b"", key=KEY, nonce=f"audit-{number}"
            )
            made.call("node0", "sendTransaction", encode_transaction(tx).hex(), False, within_s=20)
        until(lambda: all(made.height(node.name) == BLOCKS for node in made.chain.nodes))
        yield made


def audited(chain: Running, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    code = run(["audit", "--dir", str(chain.chain.root), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_an_embedded_chain_holds_in_every_detail(chain: Running, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, told = audited(chain, capsys, "--depth", "all", "--resume", str(tmp_path / "state.json"))
    assert (code, told["verdict"]) == (ExitCode.OK, "holds")
    assert told["tellings"] == 4 * (BLOCKS + 1)
    assert told["transactions"] == 4 * BLOCKS
    assert told["receipts"] == 4 * BLOCKS
    assert told["signatures"] >= 3 * 4 * BLOCKS
    assert told["chain"]["dialect"] == "3.x"
    code, told = audited(chain, capsys, "--quick")
    assert (code, len(told["nodes"]), len(told["compared"])) == (ExitCode.OK, 1, 3)
    urls = ",".join(node.rpc_url.removeprefix("http://") for node in chain.chain.nodes[:2])
    assert run(["audit", "--rpc", urls, "--depth", "headers"]) == ExitCode.OK
    assert "✔ holds" in capsys.readouterr().out
    assert run(["audit", "--dir", str(chain.chain.root), "--to", "99"]) == ExitCode.USAGE
    assert "does not exist yet" in capsys.readouterr().err


def test_a_block_doctored_on_disk_is_found_and_named(chain: Running, capsys: pytest.CaptureFixture[str]) -> None:
    chain.processes["node2"].terminate()
    chain.processes.pop("node2").wait(10)
    ledger = sqlite3.connect(chain.node("node2").directory / "data" / "ledger.sqlite")
    with ledger:
        (raw,) = ledger.execute("SELECT header FROM block WHERE number = 2").fetchone()
        header = replace(decode_header(raw), gas_used="1")
        ledger.execute("UPDATE block SET header = ?, hash = ? WHERE number = 2", (encode_header(header), hash_header(header)))
    ledger.close()

    code, told = audited(chain, capsys)
    assert (code, told["verdict"]) == (ExitCode.INCONCLUSIVE, "inconclusive")
    assert "node2 does not answer" in told["problems"][0]

    chain.start("node2")
    until(lambda: chain.height("node2") == BLOCKS)
    code, told = audited(chain, capsys)
    assert (code, told["verdict"]) == (ExitCode.VIOLATED, "violated")
    assert {tuple(finding["nodes"]) for finding in told["findings"]} == {("node2",)}
    assert {finding["kind"] for finding in told["findings"]} == {"difference", "signature", "quorum", "parent"}
    assert {finding["height"] for finding in told["findings"] if finding["kind"] != "parent"} == {2}
    assert run(["audit", "--dir", str(chain.chain.root)]) == ExitCode.VIOLATED
    shown = capsys.readouterr().out
    assert "✘ violated" in shown
    assert "block 2 of node2: quorum" in shown
    assert run(["audit", "--dir", str(chain.chain.root), "--node", "node0", "--node", "node1"]) == ExitCode.OK, "the others are honest"


def test_nobody_there_is_an_error_with_a_next_step(chain: Running, capsys: pytest.CaptureFixture[str]) -> None:
    chain.stop()
    assert run(["audit", "--dir", str(chain.chain.root)]) == ExitCode.RPC
    assert "none of the 4 nodes answers" in capsys.readouterr().err
