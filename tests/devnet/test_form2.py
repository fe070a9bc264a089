"""2.x blocks in the embedded node: genesis, headers before and after execution, receipts, system contracts, files of a node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiscotool.devnet.calls2 import CODE_BAD_NODE_ID, CODE_BAD_VALUE, CODE_LAST_SEALER, CODE_UNKNOWN_METHOD
from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.executor import BlockExecutor
from fiscotool.devnet.form2 import FORM2
from fiscotool.devnet.genesis_file import GenesisSettings
from fiscotool.devnet.inifile import SettingsError
from fiscotool.devnet.ledger_errors import LedgerError
from fiscotool.devnet.proposals import ContentCache, filler, objection
from fiscotool.devnet.sealer import block_proposal
from fiscotool.devnet.settings2 import is_generation_2, parse_genesis2, read_settings2
from fiscotool.devnet.store import SqliteLedger, open_ledger
from fiscotool.devnet.synced import check_block
from fiscotool.ledger.crypto import KeyPair, keccak256
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.ledger.header2 import BlockHeader2, hash_header2, header2_from_rpc
from fiscotool.ledger.precompiled import encode_call
from fiscotool.ledger.precompiled2 import CONSENSUS2, SYSTEM_CONFIG2
from fiscotool.ledger.receipt2 import decode_receipt2, encode_receipt2, receipt2_from_rpc
from fiscotool.ledger.tx2 import build_transaction2, encode_transaction2
from fiscotool.pbft.types import Height, NodeIndex
from tests.devnet.chains import make_chain
from tests.devnet.rpc2_world import recorded, recorded_genesis2

KEYS = sorted((KeyPair.from_secret(bytes(31) + bytes((10 + index,))) for index in range(4)), key=lambda key: key.node_id)
IDS = [key.node_id.hex() for key in KEYS]
USER = KeyPair.from_secret(b"\x09" * 32)
STRANGER = "ab" * 64


def genesis_of(ids: list[str]) -> GenesisSettings:
    nodes = "\n".join(f"node.{index}={node_id}" for index, node_id in enumerate(ids))
    return parse_genesis2(f"[consensus]\n{nodes}\n[group]\nid=1\ntimestamp=1700000000000\n", chain_id="1", version="2.9.1")


class Ledger2:
    """A ledger of 2.x with an executor on it."""

    def __init__(self, directory: Path, ids: list[str] = IDS) -> None:
        self.ledger: SqliteLedger = open_ledger(directory, genesis_of(ids))
        self.executor = BlockExecutor(self.ledger)
        self.nonce = 0

    def raw(self, to: str, data: bytes, **changes: Any) -> bytes:
        self.nonce += 1
        fields: dict[str, Any] = {
            "chain_id": 1,
            "group_id": 1,
            "block_limit": 500,
            "to": to,
            "input": data,
            "key": USER,
            "nonce": self.nonce,
        }
        return encode_transaction2(build_transaction2(**(fields | changes), may_crash_nodes=True))

    def execute(self, *raws: bytes) -> ExecutedBlock:
        ledger, txs = self.ledger, [FORM2.pooled(raw) for raw in raws]
        proposal = block_proposal(
            ledger.height + 1, 0, txs, ledger.config, 1_700_000_001_000 + ledger.height, form=FORM2, parent_hash=ledger.head_hash
        )
        content = ContentCache(FORM2).of(proposal)
        assert objection(proposal, content, ledger.config) == ""
        return self.executor.execute(FORM2.on_parent(content.header, ledger.head_hash), txs)

    def commit(self, block: ExecutedBlock) -> None:
        async def write() -> None:
            await self.ledger.commit(block, [(index, key.sign(block.block_hash)) for index, key in enumerate(KEYS[:3])])

        asyncio.run(write())
        self.executor.on_committed(block.number)

    def outcome(self, to: str, data: bytes) -> tuple[int, bytes]:
        """(status, output) of a transaction in a block that is committed."""
        block = self.execute(self.raw(to, data))
        self.commit(block)
        receipt = decode_receipt2(block.receipts[0])
        assert receipt.state_root == block.header.state_root
        return receipt.status, receipt.output


@pytest.fixture
def world(tmp_path: Path) -> Any:
    opened = Ledger2(tmp_path)
    yield opened
    opened.ledger.close()


def test_the_recorded_genesis_file_gives_the_recorded_block_0() -> None:
    told = recorded("blocks_full_node0.jsonl.xz")[0]["block"]["result"]
    header = FORM2.genesis_header(recorded_genesis2())
    assert header == header2_from_rpc(told)
    assert f"0x{hash_header2(header).hex()}" == told["hash"]


def test_every_recorded_header_survives_the_ledger_and_the_wire() -> None:
    for row in recorded("blocks_full_node0.jsonl.xz"):
        header = header2_from_rpc(row["block"]["result"])
        assert FORM2.decode_header(FORM2.encode_header(header)) == header
        assert FORM2.decode_block(FORM2.encode_block(header, [b"one", b"two"])) == (header, (b"one", b"two"))


@pytest.mark.parametrize("raw", [b"", b"\xc0", b"\xc2\xc0\xc0", b"junk", b"\xc3\xc0\xc0\xc0"])
def test_rubbish_of_a_peer_is_refused(raw: bytes) -> None:
    for decode in (FORM2.decode_block, FORM2.decode_proposal, FORM2.decode_header, FORM2.pooled):
        with pytest.raises(LedgerFormatError):
            decode(raw)


def test_a_call_to_nothing_has_the_recorded_receipt(world: Ledger2) -> None:
    told = recorded("blocks_full_node0.jsonl.xz")[2]["receipts"][0]["result"]
    block = world.execute(world.raw("0x" + "11" * 20, bytes.fromhex("d09de08a")))
    assert block.receipts[0] == encode_receipt2(receipt2_from_rpc(told))
    assert block.header.state_root == block.header.db_hash == bytes(32)


def test_executing_changes_the_hash_and_only_what_execution_fills_in(world: Ledger2) -> None:
    block = world.execute(world.raw(SYSTEM_CONFIG2, encode_call("setValueByKey(string,string)", ("tx_count_limit", "7"))))
    header: BlockHeader2 = block.header
    assert FORM2.before_execution(header) == replace(header, state_root=bytes(32), receipts_root=bytes(32), db_hash=bytes(32))
    assert block.proposal_hash == hash_header2(FORM2.as_proposed(header)) != block.block_hash
    assert header.state_root != bytes(32)
    world.commit(block)
    assert world.ledger.config.tx_count_limit == 7
    assert world.ledger.header(1).signatures == tuple((index, key.sign(block.block_hash)) for index, key in enumerate(KEYS[:3]))


PLANTED: list[tuple[str, Callable[[BlockHeader2], BlockHeader2], str]] = [
    ("another root", lambda header: replace(header, txs_root=b"x" * 32), "not that of its transactions"),
    ("a state", lambda header: replace(header, state_root=b"x" * 32), "only an executed block"),
    ("extra data", lambda header: replace(header, extra_data=(b"x",)), "only an executed block"),
    ("gas", lambda header: replace(header, gas_used=1), "only an executed block"),
    ("signatures", lambda header: replace(header, signatures=((0, bytes(65)),)), ""),
]


@pytest.mark.parametrize(("change", "words"), [pytest.param(change, words, id=name) for name, change, words in PLANTED])
def test_a_proposal_with_something_planted_is_objected_to(
    world: Ledger2, change: Callable[[BlockHeader2], BlockHeader2], words: str
) -> None:
    tx = FORM2.pooled(world.raw("0x" + "11" * 20, b"1234"))
    header = FORM2.proposed_header(1, 0, world.ledger.config, 1, [tx.tx_hash], world.ledger.head_hash)
    assert FORM2.proposal_objection(header, [tx.tx_hash]) == ""
    planted = change(header)
    if words:
        assert words in FORM2.proposal_objection(planted, [tx.tx_hash])
    else:
        # Signatures cannot even be written into a proposal.
        assert FORM2.decode_proposal(FORM2.encode_proposal(planted, [tx]))[0] == header


def test_a_proposal_on_another_parent_is_not_executed(world: Ledger2) -> None:
    header = FORM2.proposed_header(1, 0, world.ledger.config, 1, [], b"p" * 32)
    with pytest.raises(LedgerFormatError, match="follows block"):
        FORM2.on_parent(header, world.ledger.head_hash)


def test_an_empty_proposal_is_a_filler_with_its_parent(world: Ledger2) -> None:
    proposal = filler(Height(1), NodeIndex(2), world.ledger.config, 5, form=FORM2, parent_hash=world.ledger.head_hash)
    content = ContentCache(FORM2).of(proposal)
    assert (content.header.parent_hash, content.tx_hashes) == (world.ledger.head_hash, ())
    assert objection(proposal, content, world.ledger.config) == ""


def test_the_twin_of_a_proposal_is_as_valid(world: Ledger2) -> None:
    tx = FORM2.pooled(world.raw("0x" + "11" * 20, b"1234"))
    proposal = block_proposal(1, 0, [tx], world.ledger.config, 10, form=FORM2, parent_hash=world.ledger.head_hash)
    digest, data = FORM2.twin(proposal.data)
    header, hashes = FORM2.decode_proposal(data)
    assert (digest, hashes) == (hash_header2(header), (tx.tx_hash,))
    assert digest != proposal.digest
    assert FORM2.proposal_objection(header, hashes) == ""


def test_a_synced_block_needs_a_quorum_over_its_own_hash(world: Ledger2) -> None:
    block = world.execute(world.raw("0x" + "11" * 20, b"1234"))
    signed = FORM2.with_signatures(block.header, tuple((index, key.sign(block.block_hash)) for index, key in enumerate(KEYS[:3])))
    head = (world.ledger.height, world.ledger.head_hash)
    config = world.ledger.config
    assert check_block(signed, block.block_hash, config, parent=head) == ""
    few = FORM2.with_signatures(block.header, signed.signatures[:2])
    assert "a quorum is 3" in check_block(few, block.block_hash, config, parent=head)
    foreign = FORM2.with_signatures(block.header, (*signed.signatures[:2], (2, KEYS[3].sign(block.block_hash))))
    assert "not its own" in check_block(foreign, block.block_hash, config, parent=head)
    before = FORM2.with_signatures(block.header, tuple((index, key.sign(block.proposal_hash)) for index, key in enumerate(KEYS[:3])))
    assert "not its own" in check_block(before, block.block_hash, config, parent=head)


def number(output: bytes) -> int:
    return int.from_bytes(output, "big", signed=True)


@pytest.mark.parametrize(
    ("to", "method", "arguments", "answer"),
    [
        pytest.param(CONSENSUS2, "addSealer(string)", (STRANGER,), 1, id="anybody may be made a sealer"),
        pytest.param(CONSENSUS2, "addSealer(string)", ("xyz",), CODE_BAD_NODE_ID, id="but it must be an id"),
        pytest.param(CONSENSUS2, "addObserver(string)", (IDS[3],), 1, id="a sealer becomes observer"),
        pytest.param(CONSENSUS2, "remove(string)", (IDS[3],), 1, id="a sealer is removed"),
        pytest.param(CONSENSUS2, "remove(string)", (STRANGER,), 0, id="nobody is removed"),
        pytest.param(SYSTEM_CONFIG2, "setValueByKey(string,string)", ("tx_gas_limit", "99999"), CODE_BAD_VALUE, id="too little gas"),
        pytest.param(SYSTEM_CONFIG2, "setValueByKey(string,string)", ("consensus_timeout", "3"), 1, id="three seconds"),
        pytest.param(SYSTEM_CONFIG2, "setValueByKey(string,string)", ("consensus_timeout", "2"), CODE_BAD_VALUE, id="two are too few"),
        pytest.param(SYSTEM_CONFIG2, "setValueByKey(string,string)", ("no_such_key", "3"), CODE_BAD_VALUE, id="an unknown key"),
        pytest.param(SYSTEM_CONFIG2, "getValueByKey(string)", ("tx_gas_limit",), CODE_UNKNOWN_METHOD, id="a method of 3.x"),
    ],
)
def test_system_contracts_answer_with_a_number(world: Ledger2, to: str, method: str, arguments: tuple[str, ...], answer: int) -> None:
    status, output = world.outcome(to, encode_call(method, arguments))
    assert (status, number(output)) == (0, answer)


def test_membership_changes_with_the_next_block(world: Ledger2) -> None:
    world.outcome(CONSENSUS2, encode_call("addObserver(string)", (IDS[3],)))
    assert [sealer.node_id.hex() for sealer in world.ledger.config.sealers] == IDS[:3]
    assert [node_id.hex() for node_id in world.ledger.config.observers] == [IDS[3]]
    assert world.ledger.header(1).sealer_list == tuple(key.node_id for key in KEYS)


def test_the_last_sealer_stays(tmp_path: Path) -> None:
    world = Ledger2(tmp_path, IDS[:1])
    for method in ("addObserver(string)", "remove(string)"):
        assert number(world.outcome(CONSENSUS2, encode_call(method, (IDS[0],)))[1]) == CODE_LAST_SEALER
    world.ledger.close()


@pytest.mark.parametrize(
    ("to", "status", "words"),
    [
        pytest.param("", 10, b"no EVM", id="a deployment"),
        pytest.param("0x" + f"{0x1001:040x}", 21, b"no TableFactory", id="a contract the embedded engine lacks"),
        pytest.param("0x" + "11" * 20, 26, b"Error address:1111", id="an address without code"),
    ],
)
def test_what_cannot_be_run_says_so_in_its_receipt(world: Ledger2, to: str, status: int, words: bytes) -> None:
    found, output = world.outcome(to, b"1234")
    assert found == status
    assert words in output


def test_call_data_shorter_than_a_selector_harms_nobody(world: Ledger2) -> None:
    """The one transaction that kills a real chain (ledger.tx2, Rule 5)."""
    assert number(world.outcome(CONSENSUS2, b"\x01")[1]) == CODE_UNKNOWN_METHOD


def test_a_nonce_is_used_once(world: Ledger2) -> None:
    raw = world.raw("0x" + "11" * 20, b"1234", nonce=99)
    world.commit(world.execute(raw))
    assert decode_receipt2(world.execute(raw).receipts[0]).status == 15


def test_a_ledger_of_another_group_is_refused(tmp_path: Path) -> None:
    Ledger2(tmp_path).ledger.close()
    with pytest.raises(LedgerError, match="another chain"):
        open_ledger(tmp_path, genesis_of(IDS[:3]))


def test_a_deployed_directory_is_read_as_it_was_meant(tmp_path: Path) -> None:
    chain = make_chain(tmp_path / "two", protocol="fisco2", version="2.9.1", chain_id="7", group_id="1", min_seal_time_ms=2000)
    home = chain.nodes[1]
    assert is_generation_2(home.directory)
    settings = read_settings2(home.directory / "config.ini")
    assert (settings.protocol, settings.chain_id, settings.group_id) == ("fisco2", "7", "1")
    assert (settings.rpc.port, settings.p2p.port, len(settings.nodes)) == (home.rpc_port, home.p2p_port, 4)
    assert {sealer.node_id.hex() for sealer in settings.genesis.sealers} == {node.node_id for node in chain.nodes}
    assert settings.min_seal_time_ms == 999
    assert KeyPair.from_pem(settings.private_key.read_bytes()).node_id.hex() == home.node_id


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        pytest.param("conf/group.1.genesis", "consensus_type=pbft", "consensus_type=raft", "consensus_type=raft", id="another consensus"),
        pytest.param("config.ini", "sm_crypto=false", "sm_crypto=true", "sm_crypto=true", id="national cryptography"),
        pytest.param("config.ini", "protocol=fisco2", "protocol=classic", "protocol=classic", id="another protocol"),
        pytest.param("config.ini", "jsonrpc_listen_port=", "jsonrpc_listen_port=x", "jsonrpc_listen_port", id="a port that is none"),
    ],
)
def test_what_it_cannot_run_is_named(tmp_path: Path, file: str, old: str, new: str, words: str) -> None:
    chain = make_chain(tmp_path / "two", 1, protocol="fisco2", version="2.9.1", chain_id="1", group_id="1")
    path = chain.nodes[0].directory / file
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SettingsError, match=words):
        read_settings2(chain.nodes[0].directory / "config.ini")


def test_transaction_hashes_are_those_of_the_bytes(world: Ledger2) -> None:
    raw = world.raw("0x" + "11" * 20, b"1234")
    tx = FORM2.pooled(raw)
    assert (tx.tx_hash, tx.sender, tx.is_system) == (keccak256(raw), USER.address, False)
    assert FORM2.pooled(world.raw(CONSENSUS2, b"1234")).is_system
