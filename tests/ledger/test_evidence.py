"""What a block proves: recorded blocks of both generations prove everything; one bit changed anywhere in them is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.evidence import examine
from fiscotool.ledger.header3 import BlockHeader, hash_header, header_to_rpc, with_signatures
from tests.ledger.samples import recorded_blocks
from tests.ledger.samples2 import recorded_blocks2

Path = tuple[str | int, ...]

GENERATIONS = pytest.mark.parametrize("generation", ["2.x", "3.x"])


@cache
def _blocks(generation: str) -> tuple[dict[str, Any], ...]:
    return recorded_blocks2() if generation == "2.x" else recorded_blocks()


def split(shown: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    block = deepcopy(shown)
    return block, block.pop("receipts")


def sample(generation: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block of several transactions, with all its receipts."""
    return split(next(shown for shown in _blocks(generation) if 2 <= len(shown["transactions"]) == len(shown["receipts"])))


@GENERATIONS
def test_every_recorded_block_proves_all_of_it(generation: str) -> None:
    complete = 0
    for shown in _blocks(generation):
        block, receipts = split(shown)
        is_complete = len(receipts) == len(block["transactions"])
        found = examine(block, receipts=receipts if is_complete else None)
        assert found.faults == ()
        assert found.tx_count == len(block["transactions"])
        complete += found.receipts_verified
        assert found.receipts_verified == (is_complete and found.signature_count > 0)
    assert complete > 25


NOT_COVERED = {
    "2.x": {("receipts", "statusMsg")},
    "3.x": {("transactions", "importTime"), ("transactions", "extraData"), ("receipts", "message"), ("receipts", "extraData")},
}
"""Claims that nothing in block and receipts confirms. importTime and messages are no part of what is agreed on."""


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every text and number in a JSON value, with where it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from leaves(item, (*path, place))
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield path, value


def changes(value: str | int) -> Iterator[str | int]:
    """The value with one bit changed: in its first, middle and last digit, or an empty text made longer."""
    if isinstance(value, int):
        yield value ^ 1
        return
    if not value.removeprefix("0x"):
        yield "0x01"
        return
    begin = 2 if value.startswith("0x") else 0
    for place in {begin, (begin + len(value)) // 2, len(value) - 1}:
        digit = value[place]
        changed = format(int(digit, 16) ^ 1, "x") if digit in "0123456789abcdef" else chr(ord(digit) ^ 1)
        yield value[:place] + changed + value[place + 1 :]


def put(root: Any, path: Path, value: Any) -> None:
    for step in path[:-1]:
        root = root[step]
    root[path[-1]] = value


@GENERATIONS
def test_a_changed_bit_anywhere_in_block_transactions_or_receipts_is_found(generation: str) -> None:
    block, receipts = sample(generation)
    whole = {**block, "receipts": receipts}
    missed: set[tuple[Any, ...]] = set()
    tried = 0
    for path, value in leaves(whole):
        for changed in changes(value):
            doctored = deepcopy(whole)
            put(doctored, path, changed)
            tried += 1
            if not examine(doctored, receipts=doctored.pop("receipts")).faults:
                missed.add(tuple(step for step in path if isinstance(step, str)))
    assert tried > 150
    assert missed == NOT_COVERED[generation]


@GENERATIONS
@pytest.mark.parametrize("member", ["transactions", "receipts"])
def test_an_order_changed_or_an_item_lost_is_found(generation: str, member: str) -> None:
    block, receipts = sample(generation)
    for items in (lambda listed: listed[::-1], lambda listed: listed[:-1], lambda listed: [*listed, listed[0]]):
        doctored, told = deepcopy(block), deepcopy(receipts)
        if member == "transactions":
            doctored["transactions"] = items(doctored["transactions"])
        else:
            told = items(told)
        assert examine(doctored, receipts=told).faults


@GENERATIONS
def test_hashes_instead_of_whole_transactions_prove_the_root(generation: str) -> None:
    block, _ = sample(generation)
    block["transactions"] = [item["hash"] for item in block["transactions"]]
    found = examine(block)
    assert (found.faults, found.receipts_verified) == ((), False)
    block["transactions"].reverse()
    assert [fault.kind for fault in examine(block).faults] == ["txs-root"]


@GENERATIONS
def test_a_block_without_sealers_goes_by_those_before_it(generation: str) -> None:
    """Its hash is another one then, so that the signatures of this one do not hold; what counts is whose keys are tried."""
    block, _ = sample(generation)
    sealers = tuple(bytes.fromhex(one.removeprefix("0x")) for one in block["sealerList"])
    block["sealerList"] = []
    texts = [fault.text for fault in examine(block).faults]
    assert any("names no sealers" in text for text in texts)
    texts = [fault.text for fault in examine(block, sealers_before=sealers, weights_before=(1,) * 4).faults]
    assert any("does not verify" in text for text in texts)


@pytest.mark.parametrize("told", [{}, {"parentHash": 1}, {"parentInfo": []}, {"parentHash": "0x"}, {"parentInfo": None, "number": 1}])
def test_what_cannot_be_read_is_malformed(told: dict[str, Any]) -> None:
    assert [fault.kind for fault in examine(told).faults] == ["malformed"]


@GENERATIONS
@pytest.mark.parametrize("value", [None, 7, "0xzz", {}, [None], [7], [{}], "x"], ids=repr)
def test_content_of_another_type_is_a_fault_and_never_an_exception(generation: str, value: Any) -> None:
    block, receipts = sample(generation)
    assert examine(block | {"transactions": value}).faults
    for name in block["transactions"][0]:
        examine(block | {"transactions": [block["transactions"][0] | {name: value}, *block["transactions"][1:]]})
    for name in receipts[0]:
        examine(block, receipts=[receipts[0] | {name: value}, *receipts[1:]])


KEYS = sorted((KeyPair.from_secret(bytes(31) + bytes((number,))) for number in range(1, 5)), key=lambda key: key.node_id)
SEALERS = tuple(key.node_id for key in KEYS)


def signed_block(*signers: int, weights: tuple[int, ...], names_sealers: bool = True) -> dict[str, Any]:
    """A 3.x header over RPC, signed by some of KEYS."""
    zeros = bytes(32)
    parents = ((6, zeros),)
    header = BlockHeader(
        0x03100000, parents, zeros, zeros, zeros, 7, "0", 1, 0, SEALERS if names_sealers else (), b"", weights if names_sealers else ()
    )
    block_hash = hash_header(header)
    return header_to_rpc(with_signatures(header, tuple((index, KEYS[index].sign(block_hash)) for index in signers)), block_hash)


@pytest.mark.parametrize(
    ("signers", "weights", "is_enough"),
    [
        ((0, 1, 2), (1, 1, 1, 1), True),
        ((0, 1), (1, 1, 1, 1), False),
        ((0, 1), (5, 1, 1, 1), True),
        ((1, 2, 3), (5, 1, 1, 1), False),
        ((0,), (9,), True),
        ((1, 2, 3), (9,), False),
    ],
)
@pytest.mark.parametrize("names_sealers", [True, False], ids=["named", "of the block below"])
def test_weights_decide_and_a_filler_block_goes_by_the_list_below(
    signers: tuple[int, ...], weights: tuple[int, ...], *, is_enough: bool, names_sealers: bool
) -> None:
    told = signed_block(*signers, weights=weights, names_sealers=names_sealers)
    found = examine(told, sealers_before=SEALERS, weights_before=weights)
    assert [fault.kind for fault in found.faults] == ([] if is_enough else ["quorum"])
    assert found.signature_count == len(signers)


DOCUMENTED = json.loads("""
{"dbHash": "0x0000000000000000000000000000000000000000000000000000000000000000", "extraData": [], "gasLimit": "0x0", "gasUsed": "0x0",
 "hash": "0xfa639d1454362a8cdfcab1ca1948a5defaf7048b28f67e80780ab1e24e8f8c59", "number": "0x1",
 "parentHash": "0x249f59e00beac8424a7821c4750fdd70c128f4ce795afbab53f345e9fce95d1a",
 "receiptsRoot": "0x69a04fa6073e4fc0947bac7ee6990e788d1e2c5ec0fe6c2436d0892e7f3c09d2", "sealer": "0x0", "timestamp": "0x175ac38cf10",
 "sealerList": ["4ca3a91a4937355dba6a2e5fe76141479a1fc44e9caa86750092dab64e0b8382f6b8476749c2d2de414350a54491620d38813d2a1442f524e36e3d9946109c4d"],
 "signatureList": [{"index": "0x0", "signature": "0x4602135870d9a4846e2536d4a48e831825a5d95768dd0d4f08544a0bd4c2af41242dec1751a05c07d7572027f8d6ac1625c48145beb004e2dce8b7ce9e2bb73d00"}],
 "stateRoot": "0x0000000000000000000000000000000000000000000000000000000000000000",
 "transactionsRoot": "0xb880b08df3b43a9ffc334d7a526522b33e004ef95403d61d76454b6085b9b2f1",
 "transactions": [{"blockHash": "0xfa639d1454362a8cdfcab1ca1948a5defaf7048b28f67e80780ab1e24e8f8c59", "blockLimit": "0x100",
  "blockNumber": "0x1", "chainId": "0x1", "extraData": "0x", "from": "0x57c7be32cbfb3bfed4fddc87efcc735b4e945fb3", "gas": "0x2faf080",
  "gasPrice": "0xa", "groupId": "0x1", "hash": "0x3961fac263d8e640b148ddcfafd71d2069e93a006abc937c32fb16cfa96e661d",
  "input": "0x4ed3885e0000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000000a464953434f2042434f5300000000000000000000000000000000000000000000",
  "nonce": "0x3eb675ec791c2d19858c91d0046821c27d815e2e9c151604912205000002968", "signature": {
   "r": "0x9edf7c0cb63645442aff11323916d51ec5440de979950747c0189f338afdcefd", "s": "0x2f3473184513c6a3516e066ea98b7cfb55a79481c9db98e658dd016c37f03dcf",
   "signature": "0x9edf7c0cb63645442aff11323916d51ec5440de979950747c0189f338afdcefd2f3473184513c6a3516e066ea98b7cfb55a79481c9db98e658dd016c37f03dcf00",
   "v": "0x0"}, "to": "0x8c17cf316c1063ab6c89df875e96c9f0f5b2f744", "transactionIndex": "0x0", "value": "0x0"}]}
""") | {"logsBloom": "0x" + "00" * 256}
"""The answer to getBlockByHash that the documentation of 2.x shows (api.md): block 1 of a chain of one sealer."""


def test_the_block_in_the_documentation_of_2x_proves_all_of_it() -> None:
    found = examine(DOCUMENTED)
    assert (found.faults, found.signature_count, found.tx_count) == ((), 1, 1)
    assert found.block_hash.hex() == DOCUMENTED["hash"][2:]
