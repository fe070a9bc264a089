"""Four processes of an embedded 2.x chain: our own 2.x client, the auditor and the log parser take them for what they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from fiscotool.errors import Unreachable
from fiscotool.ledger.anyheader import read_any_header
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.tx2 import build_transaction2, encode_transaction2
from fiscotool.observer.logs.events import Kind
from fiscotool.observer.logs.parse import LogParser
from fiscotool.observer.logs.trace import TraceMaker
from fiscotool.pbft.trace import Act
from fiscotool.rpc.channel.client import ChannelClient
from fiscotool.rpc.channel.words import BlockNotice
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.detect import detect_dialect
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.tls import TlsFiles
from tests.devnet.chains import Running, alarms, make_chain, running, until

pytestmark = pytest.mark.devnet

KEY = KeyPair.from_secret(b"\x07" * 32)
QUORUM = 3


def view(run: Running, name: str) -> int:
    return int(run.ask(name, "getPbftView") or "0x0", 16)


def height(run: Running, name: str) -> int:
    return int(run.ask(name, "getBlockNumber") or "-1", 16)


def send(run: Running, name: str) -> str:
    tx = build_transaction2(chain_id=1, group_id=1, block_limit=height(run, name) + 500, to=KEY.address, input=b"1234", key=KEY)
    return str(run.call(name, "sendRawTransaction", f"0x{encode_transaction2(tx).hex()}"))


def receipt_of(run: Running, name: str, tx_hash: str) -> dict[str, str]:
    found = until(lambda: run.ask(name, "getTransactionReceipt", tx_hash), within_s=60, what=f"{name} has the receipt")
    assert isinstance(found, dict)
    return found


def check_channel(run: Running) -> None:
    """What an SDK has of the channel port: typed calls, its receipts and every block pushed, refusals as receipts, and TLS both ways."""
    home = run.node("node0")
    sdk = home.directory.parent / "sdk"
    tls = TlsFiles(sdk / "ca.crt", sdk / "sdk.crt", sdk / "sdk.key")
    blocks: list[BlockNotice] = []
    tx = build_transaction2(chain_id=1, group_id=1, block_limit=500, to=KEY.address, input=b"5678", key=KEY)
    raw = encode_transaction2(tx).hex()
    with ChannelClient(f"127.0.0.1:{home.channel_port}", tls, on_block=blocks.append) as channel:
        node = NodeClient2("channel://node0", transport=channel)
        assert node.version().groups == ("1",)
        notice = channel.send("1", raw, within_s=60)
        assert (notice.status, notice.message, notice.refusal) == (26, "CallAddressError", "")
        again = channel.send("1", raw, within_s=60)
        assert (again.status, again.block_number) == (15, None)
        assert again.tx_hash == notice.tx_hash
        until(lambda: notice.block_number in {block.number for block in blocks}, within_s=60, what="the block is pushed")
        assert channel.problem_count == 0
    with pytest.raises(Unreachable):
        foreign = home.directory / "conf" / "node.crt"  # Of the chain's own authority, not of the SDKs'.
        ChannelClient(f"127.0.0.1:{home.channel_port}", TlsFiles(sdk / "ca.crt", foreign, home.directory / "conf" / "node.key")).send(
            "1", raw, within_s=5
        )


def test_a_chain_of_2x_lives_as_one(tmp_path: Path) -> None:
    chain = make_chain(tmp_path / "two", protocol="fisco2", version="2.9.1", chain_id="1", group_id="1", trace=True)
    with running(chain) as run:
        names = [node.name for node in chain.nodes]
        # An idle chain goes from leader to leader; nothing is stored.
        until(lambda: all(view(run, name) > 1 for name in names), within_s=60, what="views rise on an idle chain")
        assert height(run, "node0") == 0
        detected = detect_dialect(f"127.0.0.1:{chain.nodes[0].rpc_port}")
        assert (detected.dialect, detected.version.version, detected.version.groups) == (Dialect.FISCO2, "2.9.1", ("1",))
        assert detected.version.extra["git_commit"] == "embedded"
        assert {peer["Node"] for peer in run.call("node0", "getPeers")} == {"node1", "node2", "node3"}

        tx_hash = send(run, "node1")
        receipts = [receipt_of(run, name, tx_hash) for name in names]
        assert all(receipt == receipts[0] for receipt in receipts)
        assert (receipts[0]["blockNumber"], receipts[0]["statusMsg"]) == ("0x1", "CallAddressError")
        for name in names:
            header = read_any_header(run.call(name, "getBlockHeaderByNumber", "1", True))
            assert header.is_hash_right
            assert header.signed_weight >= QUORUM
            assert header.header.parents == ((0, bytes.fromhex(run.call(name, "getBlockHashByNumber", "0")[2:])),)

        check_channel(run)

        # A dead leader costs a view; the one that comes back has the block.
        run.kill("node3")
        tx_hash = send(run, "node0")
        number = receipt_of(run, "node1", tx_hash)["blockNumber"]
        run.start("node3")
        assert receipt_of(run, "node3", tx_hash)["blockNumber"] == number
        assert set(run.stop().values()) == {0}
    assert alarms(chain) == []

    for node in chain.nodes:
        lines = run.log_text(node.name).splitlines()
        parser = LogParser(node.name)
        events = parser.parse(lines)
        assert parser.counts.unknown_count == 0, [event.message for event in events if event.kind is Kind.UNKNOWN][:3]
        assert parser.counts.continuation_count == 0
        maker = TraceMaker(node.name)
        acts = {record.act for record in (*maker.records(events), *maker.flush())}
        wanted = {Act.START, Act.ENTER_VIEW, Act.ACCEPT_PROPOSAL, Act.EXECUTED, Act.SEND_PREPARE, Act.PREPARED, Act.LEDGER_COMMIT, Act.HEAD}
        assert wanted <= acts, (node.name, wanted - acts)
