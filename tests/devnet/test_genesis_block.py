"""Block 0 against the recorded one: spec 3.x 3.4, 4.7; recordings deploy/generated, rpc/read_methods_genesis."""

from __future__ import annotations

import json
from dataclasses import replace

from fiscotool.devnet.genesis import block_zero, genesis_text, initial_state
from fiscotool.devnet.settings import parse_genesis
from fiscotool.ledger.header3 import hash_header, header_from_rpc
from tests.devnet.ledger_world import GENESIS, RICH, RICH_WEI, genesis
from tests.ledger.samples import lines, recorded_blocks
from tests.support.shared import shared


def recorded_genesis() -> str:
    return shared("recordings", "v3", "deploy", "generated", "node0", "config.genesis").read_text()


def test_the_recorded_configuration_gives_the_recorded_block() -> None:
    told = recorded_blocks()[0]
    header = block_zero(parse_genesis(recorded_genesis()))
    assert genesis_text(parse_genesis(recorded_genesis())).encode() == bytes.fromhex(told["extraData"][2:])
    assert header == header_from_rpc(told)
    assert f"0x{hash_header(header).hex()}" == told["hash"]


def test_every_system_configuration_key_recorded_has_its_recorded_value() -> None:
    settings = initial_state(parse_genesis(recorded_genesis())).settings
    seen = 0
    for line in lines("rpc", "read_methods_genesis.jsonl.xz"):
        request = json.loads(line["request"])
        if request["method"] != "getSystemConfigByKey":
            continue
        key = request["params"][2]
        found = settings.get(key)
        told = line["response"].get("result")
        assert (None if found is None else {"blockNumber": found.enable_number, "value": found.value}) == told, key
        seen += 1
    assert seen >= 14


def test_the_order_of_the_node_lines_does_not_matter() -> None:
    nodes = [line for line in GENESIS.splitlines() if line.startswith("node.")]
    shuffled = "\n".join(line for line in GENESIS.splitlines() if line not in nodes)
    shuffled = shuffled.replace("[consensus]", "\n".join(["[consensus]", *reversed(nodes)]))
    assert hash_header(block_zero(parse_genesis(shuffled))) == hash_header(block_zero(genesis()))


def test_settings_given_in_any_order_of_sealers_make_the_same_block() -> None:
    settings = genesis()
    assert block_zero(replace(settings, sealers=settings.sealers[::-1])) == block_zero(settings)


def test_another_weight_is_another_chain_but_another_balance_is_not() -> None:
    other_weight = parse_genesis(GENESIS.replace(": 1", ": 2", 1))
    poorer = parse_genesis(GENESIS.replace(str(RICH_WEI), "5"))
    assert hash_header(block_zero(other_weight)) != hash_header(block_zero(genesis()))
    assert hash_header(block_zero(poorer)) == hash_header(block_zero(genesis()))
    assert initial_state(poorer).accounts[RICH.address].balance == 5


def test_initial_state_holds_sealers_and_balances() -> None:
    state = initial_state(genesis())
    assert sorted(state.nodes) == [sealer.node_id for sealer in genesis().sealers]
    assert all(record is not None and record.is_sealer and record.enable_number == 0 for record in state.nodes.values())
    assert state.accounts == {RICH.address: (RICH_WEI, 0)}


def test_feature_switches_of_the_file_are_on() -> None:
    settings = parse_genesis(GENESIS + "\n[features]\nfeature_evm_cancun=1\n")
    assert initial_state(settings).settings["feature_evm_cancun"].value == "1"
