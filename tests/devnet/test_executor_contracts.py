"""SystemConfig and Consensus: return codes, thrown errors, effect on the next block. Spec 3.x 1.19, 3.7."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet.precompiled import run
from fiscotool.devnet.state import Account, BlockState, NodeRecord, Setting, state_root
from fiscotool.devnet.sysconfig import value_objection
from fiscotool.ledger.precompiled import BALANCE, CONSENSUS, SYSTEM_CONFIG, decode_values, encode_call, selector
from fiscotool.ledger.receipt3 import decode_receipt
from tests.devnet.ledger_world import NODES, RICH, RICH_WEI, USER, World, native, open_world

IDS = [key.node_id.hex() for key in NODES]
NEW = USER.node_id.hex()


class State:
    """A committed state to call contracts on."""

    def __init__(self, sealers: int = 4, observers: tuple[str, ...] = ()) -> None:
        self.table = {bytes.fromhex(node_id): NodeRecord(is_sealer=True, weight=1, enable_number=0) for node_id in IDS[:sealers]}
        self.table |= {bytes.fromhex(node_id): NodeRecord(is_sealer=False, weight=0, enable_number=0) for node_id in observers}
        self.values = {"tx_count_limit": Setting("1000", 0), "compatibility_version": Setting("3.16.0", 0)}

    def account(self, address: bytes) -> Account:
        return Account(RICH_WEI, 0) if address == RICH.address else Account(0, 0)

    def setting(self, key: str) -> Setting | None:
        return self.values.get(key)

    def nodes(self) -> dict[bytes, NodeRecord]:
        return self.table


def code(signature: str, args: tuple[Any, ...], state: State) -> tuple[int, BlockState]:
    """The return code of a consensus method, and the state with its changes."""
    block = BlockState(7, state)
    outcome = run(CONSENSUS, encode_call(signature, args), block)
    assert outcome.status == 0, outcome.message
    return decode_values(("int256",), outcome.output)[0], block


@pytest.mark.parametrize(
    ("signature", "args", "state", "expected"),
    [
        pytest.param("addObserver(string)", (NEW,), State(), 0, id="a stranger becomes observer"),
        pytest.param("addObserver(string)", (IDS[0],), State(), 0, id="a sealer becomes observer"),
        pytest.param("addObserver(string)", (NEW,), State(observers=(NEW,)), 0, id="an observer stays one"),
        pytest.param("addObserver(string)", (IDS[0],), State(sealers=1), -51101, id="the last sealer cannot become observer"),
        pytest.param("addObserver(string)", (NEW,), State(1, (NEW,)), -51101, id="nor any listed node while there is one sealer"),
        pytest.param("addObserver(string)", (NEW,), State(sealers=1), 0, id="but a stranger can"),
        pytest.param("addObserver(string)", ("ab",), State(), -51100, id="a short id"),
        pytest.param("addObserver(string)", ("zz" * 64,), State(), -51100, id="an id that is not hex"),
        pytest.param("addObserver(string)", (NEW[:-2] + " 0",), State(), -51100, id="an id with a blank"),
        pytest.param("addSealer(string,uint256)", (NEW, 1), State(), -51104, id="a stranger cannot become sealer"),
        pytest.param("addSealer(string,uint256)", (NEW, 1), State(observers=(NEW,)), 0, id="an observer becomes sealer"),
        pytest.param("addSealer(string,uint256)", (IDS[0], 9), State(), 0, id="a sealer gets another weight"),
        pytest.param("addSealer(string,uint256)", (IDS[0], 0), State(), -51102, id="no weight"),
        pytest.param("addSealer(string,uint256)", (IDS[0], 2**63), State(), -51102, id="a weight above int64"),
        pytest.param("addSealer(string,uint256)", (IDS[0], 2**64), State(), -51102, id="a weight upstream would cut to 0"),
        pytest.param("addSealer(string,uint256,uint256)", (NEW, 2, 3), State(observers=(NEW,)), 0, id="with a term weight"),
        pytest.param("remove(string)", (IDS[0],), State(), 0, id="a sealer is removed"),
        pytest.param("remove(string)", (NEW,), State(observers=(NEW,)), 0, id="an observer is removed"),
        pytest.param("remove(string)", (NEW,), State(1, (NEW,)), 0, id="an observer beside the last sealer"),
        pytest.param("remove(string)", (NEW,), State(), -51103, id="a stranger cannot be removed"),
        pytest.param("remove(string)", (IDS[0],), State(sealers=1), -51101, id="the last sealer stays"),
        pytest.param("setWeight(string,uint256)", (IDS[0], 5), State(), 0, id="a sealer's weight"),
        pytest.param("setWeight(string,uint256)", (NEW, 5), State(), -51103, id="a stranger's weight"),
        pytest.param("setWeight(string,uint256)", (IDS[0], 0), State(), -51102, id="no weight for a sealer"),
        pytest.param("setWeight(string,uint256)", ("", 1), State(), -51100, id="an empty id"),
    ],
)
def test_consensus_codes(signature: str, args: tuple[Any, ...], state: State, expected: int) -> None:
    before = dict(state.table)
    found, block = code(signature, args, state)
    assert found == expected
    assert bool(block.changed_nodes) == (expected == 0), "a refusal changes nothing"
    assert all(record is None or record.enable_number == 8 for record in block.changed_nodes.values())
    assert state.table == before, "the parent state is not touched"
    assert sum(record.is_sealer for record in block.nodes().values()) >= 1


@pytest.mark.parametrize(
    ("address", "data", "text"),
    [
        pytest.param(CONSENSUS, b"", "Empty param data", id="no data, as recorded"),
        pytest.param(CONSENSUS, b"\x01\x02", "no method", id="half a selector"),
        pytest.param(CONSENSUS, b"\x01\x02\x03\x04", "no method", id="an unknown method"),
        pytest.param(CONSENSUS, selector("remove(string)"), "ends in the middle of an argument", id="no arguments"),
        pytest.param(CONSENSUS, selector("remove(string)") + b"\xff" * 32, "ends in the middle", id="a text beyond the end"),
        pytest.param(
            CONSENSUS, selector("remove(string)") + bytes(31) + b"\x20" + b"\xff" * 32, "ends in the middle of a text", id="a huge length"
        ),
        pytest.param(
            CONSENSUS, selector("remove(string)") + bytes(31) + b"\x20" + bytes(31) + b"\x01\xff" + bytes(31), "not UTF-8", id="not UTF-8"
        ),
        pytest.param(CONSENSUS, encode_call("setTermWeight(string,uint256)", (NEW, 1)), "no rPBFT", id="a term weight"),
        pytest.param(SYSTEM_CONFIG, encode_call("setValueByKey(string,string)", ("nothing", "1")), "unsupported key", id="an unknown key"),
        pytest.param(SYSTEM_CONFIG, encode_call("setValueByKey(string,string)", ("tx_count_limit", "0")), "from 1 to", id="a bad value"),
        pytest.param(
            BALANCE, encode_call("getBalance(address)", (RICH.address,)), "feature_balance_precompiled", id="a switched-off contract"
        ),
    ],
)
def test_what_a_contract_throws_is_status_15_and_changes_nothing(address: str, data: bytes, text: str) -> None:
    block = BlockState(7, State())
    outcome = run(address, data, block)
    assert outcome.status == 15
    assert text in outcome.message
    assert not block.changed_nodes
    assert not block.settings


def test_the_weight_of_an_observer_cannot_be_set() -> None:
    block = BlockState(7, State(observers=(NEW,)))
    assert run(CONSENSUS, encode_call("setWeight(string,uint256)", (NEW, 1)), block).status == 15


def test_configuration_is_set_and_got_with_its_enable_number() -> None:
    block = BlockState(7, State())
    assert run(SYSTEM_CONFIG, encode_call("setValueByKey(string,string)", ("tx_count_limit", "5")), block).status == 0
    for key, expected in (("tx_count_limit", ("5", 8)), ("compatibility_version", ("3.16.0", 0)), ("nothing", ("", -1))):
        outcome = run(SYSTEM_CONFIG, encode_call("getValueByKey(string)", (key,)), block)
        assert decode_values(("string", "int256"), outcome.output) == expected


def test_balances_can_be_read_when_the_chain_says_so() -> None:
    state = State()
    state.values["feature_balance_precompiled"] = Setting("1", 0)
    outcome = run(BALANCE, encode_call("getBalance(address)", (RICH.address,)), BlockState(7, state))
    assert decode_values(("uint256",), outcome.output) == (RICH_WEI,)


# SystemConfigPrecompiled.cpp; the ranges of spec 3.x 3.7.
@pytest.mark.parametrize(
    ("key", "value", "is_allowed"),
    [
        ("tx_count_limit", "1", True),
        ("tx_count_limit", "0", False),
        ("tx_count_limit", "-1", False),
        ("tx_count_limit", "+1", False),
        ("tx_count_limit", "1 ", False),
        ("tx_count_limit", "१", False),
        ("tx_count_limit", str(2**63), False),
        ("consensus_leader_period", "7", True),
        ("consensus_leader_period", "0", False),
        ("tx_gas_limit", "100000", True),
        ("tx_gas_limit", "99999", False),
        ("tx_gas_price", "0x10", True),
        ("tx_gas_price", "16", False),
        ("web3_chain_id", str(2**32 - 1), True),
        ("web3_chain_id", str(2**32), False),
        ("compatibility_version", "3.16.4", True),
        ("compatibility_version", "3.16", True),
        ("compatibility_version", "3.15.9", False),
        ("compatibility_version", "3.16.5", False),
        ("compatibility_version", "4.0.0", False),
        ("compatibility_version", "new", False),
        ("feature_evm_cancun", "1", True),
        ("feature_evm_cancun", "0", False),
        ("bugfix_revert", "1", True),
        ("feature_rpbft", "1", False),
        ("feature_unheard_of", "1", False),
        ("consensus_timeout", "3000", False),
        ("", "", False),
    ],
)
def test_values_of_configuration_keys(key: str, value: str, *, is_allowed: bool) -> None:
    assert bool(value_objection(key, value, "3.16.0")) != is_allowed


@settings(max_examples=150, deadline=None)
@given(
    address=st.sampled_from([CONSENSUS, SYSTEM_CONFIG, BALANCE]),
    method=st.sampled_from(
        ["addSealer(string,uint256)", "addObserver(string)", "remove(string)", "setValueByKey(string,string)", "getValueByKey(string)"]
    ),
    data=st.binary(max_size=200),
    offset=st.integers(0, 2**256 - 1),
)
def test_no_call_data_makes_a_contract_raise(address: str, method: str, data: bytes, offset: int) -> None:
    for call in (data, selector(method) + data, selector(method) + offset.to_bytes(32, "big") + data):
        outcome = run(address, call, BlockState(1, State()))
        assert outcome.status in {0, 15}


@settings(max_examples=120, deadline=None)
@given(
    moves=st.lists(st.tuples(st.sampled_from(["addSealer", "addObserver", "remove", "setWeight"]), st.integers(0, 5), st.integers(0, 3)))
)
def test_whatever_is_done_to_the_members_one_sealer_with_weight_stays(moves: list[tuple[str, int, int]]) -> None:
    ids = [*IDS, NEW, RICH.node_id.hex()]
    block = BlockState(1, State())
    for name, who, weight in moves:
        signature = f"{name}(string,uint256)" if name in {"addSealer", "setWeight"} else f"{name}(string)"
        args = (ids[who], weight) if name in {"addSealer", "setWeight"} else (ids[who],)
        run(CONSENSUS, encode_call(signature, args), block)
        sealers = [record for record in block.nodes().values() if record.is_sealer]
        assert sealers
        assert all(record.weight > 0 for record in sealers)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_world(tmp_path)
    yield opened
    opened.close()


def test_a_new_list_of_sealers_is_in_force_for_the_block_after(world: World, tmp_path: Path) -> None:
    async def scenario() -> None:
        await world.add_block([native(to=CONSENSUS, input=encode_call("addObserver(string)", (NEW,)))])
        assert world.ledger.config.observers == (bytes.fromhex(NEW),)
        block = await world.add_block(
            [
                native(to=CONSENSUS, input=encode_call("addSealer(string,uint256)", (NEW, 3))),
                native(to=SYSTEM_CONFIG, input=encode_call("setValueByKey(string,string)", ("tx_count_limit", "2"))),
                native(to=CONSENSUS, input=encode_call("remove(string)", (IDS[0],))),
            ]
        )
        assert [decode_receipt(raw).status for raw in block.receipts] == [0, 0, 0]
        assert block.is_system
        config = world.ledger.config
        assert config.tx_count_limit == 2
        assert config.observers == ()
        assert [(sealer.node_id.hex(), sealer.weight) for sealer in config.sealers] == sorted(
            [(node_id, 1) for node_id in IDS[1:]] + [(NEW, 3)]
        )
        assert world.ledger.system_config("tx_count_limit") == ("2", 3)

    asyncio.run(scenario())
    config = world.ledger.config
    world.close()
    again = open_world(tmp_path)
    assert again.ledger.config == config, "and after a restart"
    again.close()
    world.ledger = again.ledger


def test_later_transactions_of_a_block_see_what_earlier_ones_changed(world: World) -> None:
    add = encode_call("addObserver(string)", (NEW,))
    promote = encode_call("addSealer(string,uint256)", (NEW, 1))
    block = world.execute([native(to=CONSENSUS, input=data) for data in (promote, add, promote)])
    assert [decode_values(("int256",), decode_receipt(raw).output)[0] for raw in block.receipts] == [-51104, 0, 0]


def test_the_state_root_does_not_depend_on_the_order_of_changes() -> None:
    accounts = {bytes((at,)) * 20: Account(at, at) for at in range(5)}
    values = {"a": Setting("1", 2), "b": Setting("1", 2)}
    nodes = {bytes((at,)) * 64: NodeRecord(is_sealer=True, weight=1, enable_number=2) for at in range(3)} | {b"x" * 64: None}
    backwards = [dict(reversed(changes.items())) for changes in (accounts, values, nodes)]
    assert state_root(accounts, values, nodes) == state_root(*backwards)  # type: ignore[arg-type]


def test_the_state_root_tells_any_two_changes_apart(world: World) -> None:
    calls = [
        ("addObserver(string)", (NEW,)),
        ("addObserver(string)", (IDS[0],)),
        ("remove(string)", (IDS[0],)),
        ("setWeight(string,uint256)", (IDS[0], 2)),
        ("setWeight(string,uint256)", (IDS[0], 3)),
        ("setWeight(string,uint256)", (IDS[1], 3)),
    ]
    roots = {world.execute([native(to=CONSENSUS, input=encode_call(*call))]).header.state_root for call in calls}
    assert len(roots) == len(calls)
    assert bytes(32) not in roots
