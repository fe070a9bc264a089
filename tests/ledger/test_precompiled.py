"""System contracts: selectors as published, calls and results both ways, the system transaction rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.ledger import precompiled
from fiscotool.ledger.errors import LedgerFormatError
from tests.ledger.samples import recorded_blocks

# Spec 3.x 3.7.
SELECTORS = """
bd291aef setValueByKey(string,string)
1258a93a getValueByKey(string)
35916856 addSealer(string,uint256)
47c0999b addSealer(string,uint256,uint256)
2800efc0 addObserver(string)
80599e4b remove(string)
ce6fa5c5 setWeight(string,uint256)
9c9675b7 setTermWeight(string,uint256)
31a5a51e createTable(string,(string,string[]))
75b14eea createTable(string,(uint8,string,string[]))
b0e89adb createKVTable(string,string,string)
302baee0 appendColumns(string,string[])
f23f63c9 openTable(string)
5d0d6d54 desc(string)
b8764d3f descWithKeyOrder(string)
fcd7e3c1 select(string)
5c6e105f insert((string,string[]))
41ffd75f update(string,(string,string)[])
e942b516 set(string,string)
693ec85e get(string)
3fe8e3f5 userAdd(string,uint256)
e555f3d9 userSave(string,uint256)
ff2b0127 userDraw(string,uint256)
0b37617b userTransfer(string,string,uint256)
1536aedd userBalance(string)
fe42bf1a list(string)
912f3095 list(string,uint256,uint256)
876b0eb2 mkdir(string)
8df118af link(string,string,string)
e19c2fcf link(string,string,string,string)
1d05a836 readlink(string)
131ffcdd touch(string,string)
6545df0f initBfs()
52405517 rebuildBfs(uint256,uint256)
3d84c6d3 fixBfs(uint256)
f8b2cb4f getBalance(address)
21e5383a addBalance(address,uint256)
cf8eeb7e subBalance(address,uint256)
beabacc8 transfer(address,address,uint256)
3b9a32de registerCaller(address)
afb4bfbd unregisterCaller(address)
511ab10c listCaller()
fb34363c sm3(bytes)
eb90f459 keccak256Hash(bytes)
cbdb3a67 sm2Verify(bytes32,bytes,bytes32,bytes32)
1749bea9 deployType()
bb0aa40c setDeployAuthType(uint8)
61548099 openDeployAuth(address)
56bd7084 closeDeployAuth(address)
630577e5 hasDeployAuth(address)
0ad2b0a1 setAccountStatus(address,uint8)
fd4fa05a getAccountStatus(address)
1d82d998 makeShard(string)
b7ede6cb linkShard(string,string)
9c1284bc getContractShard(string)
"""
PUBLISHED = [tuple(line.split(" ", 1)) for line in SELECTORS.split("\n") if line]


@pytest.mark.parametrize(("selector", "signature"), PUBLISHED, ids=[signature for _, signature in PUBLISHED])
def test_published_selectors(selector: str, signature: str) -> None:
    assert precompiled.selector(signature).hex() == selector
    assert precompiled.signatures_by_selector()[bytes.fromhex(selector)] == signature


def test_no_method_is_left_unchecked() -> None:
    assert set(precompiled.signatures_by_selector().values()) == {signature for _, signature in PUBLISHED}


@pytest.mark.parametrize(
    ("signature", "args"),
    [
        pytest.param("setValueByKey(string,string)", ("tx_count_limit", "500"), id="two texts"),
        pytest.param("addSealer(string,uint256)", ("ab" * 64, 1), id="text and number"),
        pytest.param("createTable(string,(uint8,string,string[]))", ("t", (0, "id", ("name", "age"))), id="tuple with a list"),
        pytest.param("update(string,(string,string)[])", ("key", (("name", "x"), ("age", "7"))), id="list of tuples"),
        pytest.param("transfer(address,address,uint256)", ("0x" + "11" * 20, "0x" + "22" * 20, 5), id="addresses"),
        pytest.param("initBfs()", (), id="no arguments"),
        pytest.param("mkdir(string)", ("/apps/目录",), id="Chinese"),
    ],
)
def test_calls_come_back(signature: str, args: tuple[Any, ...]) -> None:
    assert precompiled.decode_call(precompiled.encode_call(signature, args)) == (signature, args)


@pytest.mark.parametrize(
    ("signature", "types"),
    [
        pytest.param("f()", (), id="none"),
        pytest.param("f(string)", ("string",), id="one"),
        pytest.param(
            "f(string,(uint8,string,string[]),uint256)", ("string", "(uint8,string,string[])", "uint256"), id="tuple stays together"
        ),
        pytest.param("f((string,(bool,bool)[])[],bool)", ("(string,(bool,bool)[])[]", "bool"), id="tuple in a tuple"),
    ],
)
def test_types_of(signature: str, types: tuple[str, ...]) -> None:
    assert precompiled.types_of(signature) == types


@pytest.mark.parametrize("signature", ["", "f", "f(", "(string)", "f(string"])
def test_what_is_no_signature(signature: str) -> None:
    with pytest.raises(LedgerFormatError, match="not a method signature"):
        precompiled.types_of(signature)


@pytest.mark.parametrize(
    ("signature", "args"),
    [
        pytest.param("setValueByKey(string,string)", ("only one",), id="too few"),
        pytest.param("addSealer(string,uint256)", ("x", -1), id="negative"),
        pytest.param("addSealer(string,uint256)", ("x", "y"), id="text for a number"),
        pytest.param("getBalance(address)", ("0x12",), id="short address"),
        pytest.param("f(strong)", ("x",), id="type that does not exist"),
    ],
)
def test_values_that_do_not_fit(signature: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(LedgerFormatError, match="do not fit"):
        precompiled.encode_call(signature, args)


@pytest.mark.parametrize("data", [b"", b"\x12\x34\x56\x78", b"\x87\x6b\x0e"])
def test_unknown_selectors_are_refused(data: bytes) -> None:
    with pytest.raises(LedgerFormatError, match="no known method"):
        precompiled.decode_call(data)


@given(tail=st.binary(max_size=200), selector=st.sampled_from([precompiled.selector(signature) for _, signature in PUBLISHED]))
def test_garbage_arguments_are_a_format_error(tail: bytes, selector: bytes) -> None:
    try:
        signature, _ = precompiled.decode_call(selector + tail)
    except LedgerFormatError:
        return
    assert precompiled.selector(signature) == selector


def test_huge_lengths_do_not_hang() -> None:
    with pytest.raises(LedgerFormatError):
        precompiled.decode_call(precompiled.selector("mkdir(string)") + (32).to_bytes(32, "big") + b"\xff" * 32)
    rows = precompiled.selector("update(string,(string,string)[])")
    with pytest.raises(LedgerFormatError):
        precompiled.decode_call(rows + (32).to_bytes(32, "big") + (32).to_bytes(32, "big") + (2**40).to_bytes(32, "big") * 4)


def test_recorded_failures_are_read() -> None:
    """Outputs of the recorded receipts with status 16 and 10."""
    outputs = [bytes.fromhex(receipt["output"][2:]) for block in recorded_blocks() for receipt in block["receipts"] if receipt["status"]]
    messages = {precompiled.decode_revert(output) for output in outputs}
    assert messages == {"Call address error.", "Execution invalid/undefined opcode.", ""}
    assert precompiled.encode_revert("Call address error.") in outputs


@pytest.mark.parametrize("output", [b"", b"\x08\xc3\x79\xa0", b"\x08\xc3\x79\xa0" + b"\xff" * 64, b"abcd"])
def test_outputs_without_a_message(output: bytes) -> None:
    assert precompiled.decode_revert(output) == ""


# Spec 3.x 3.6: by the exact text.
@pytest.mark.parametrize(
    ("to", "is_system"),
    [
        pytest.param("0000000000000000000000000000000000001003", True, id="consensus"),
        pytest.param("0x0000000000000000000000000000000000001003", False, id="with 0x it is an ordinary transaction"),
        pytest.param("/sys/status", True, id="by BFS path"),
        pytest.param("000000000000000000000000000000000000100e", False, id="BFS is none"),
        pytest.param("0000000000000000000000000000000000010001", True, id="committee"),
        pytest.param("", False, id="deployment"),
    ],
)
def test_system_transactions(to: str, is_system: bool) -> None:
    assert precompiled.is_system_to(to) is is_system
