"""How fast the ledger room is, as ratios that hold on any machine: each figure against a yardstick measured in the same run.

    python bench/ledger_speed.py            prints the table; exit status 1 when a limit is passed

Yardsticks: `bare recover` is coincurve's own recovery of a public key, which nothing here can beat; `naive` is the obvious way to do
the same thing, written below or taken from the usual library. Measured in rounds, ours and yardstick alternating, best of the rounds:
a busy machine disturbs both alike.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import coincurve
import rlp
from eth_account import Account

from fiscotool.ledger import precompiled
from fiscotool.ledger.crypto import KeyPair, keccak256, recover, verify
from fiscotool.ledger.eth import decode_ethereum, wrap_ethereum
from fiscotool.ledger.merkle import merkle_root
from fiscotool.ledger.receipt3 import Receipt, decode_receipt, encode_receipt, hash_receipt
from fiscotool.ledger.rlp_items import decode_list, encode
from fiscotool.ledger.tx3 import build_transaction, decode_transaction, decode_verified, encode_transaction, hash_transaction_data

ROUNDS = 7

KEY = KeyPair.from_secret(bytes(31) + b"\x07")
TX = build_transaction(
    chain_id="chain0",
    group_id="group0",
    block_limit=600,
    nonce="316721839278374",
    to=precompiled.BFS,
    input=precompiled.encode_call("mkdir(string)", ["/apps/bench"]),
    key=KEY,
)
RAW = encode_transaction(TX)
RECEIPT = Receipt(0, "44", "6849f21d1e455e9f0712b1e99fa4fcd23758e8f1", 0, bytes(32), (), 7)
RAW_RECEIPT = encode_receipt(RECEIPT)
LEAVES = [keccak256(number.to_bytes(4, "big")) for number in range(1000)]
ETHEREUM = bytes(
    Account.from_key(bytes(31) + b"\x07")
    .sign_transaction({"nonce": 1, "gasPrice": 0, "gas": 21_000, "to": "0x" + "22" * 20, "value": 1, "data": b"", "chainId": 20200})
    .raw_transaction
)
ITEMS = decode_list(ETHEREUM)
WRAPPED = encode_transaction(wrap_ethereum(ETHEREUM))


def bare_recover() -> Any:
    return coincurve.PublicKey.from_signature_and_message(TX.signature, TX.data_hash, hasher=None)


def naive_sender() -> bytes:
    key = coincurve.PublicKey.from_signature_and_message(TX.signature, TX.data_hash, hasher=None)
    return keccak256(key.format(compressed=False)[1:])[12:]


def naive_verify() -> bool:
    """Without remembering the key: parse it each time, recover and compare."""
    key = coincurve.PublicKey(b"\x04" + KEY.node_id)
    return bool(coincurve.PublicKey.from_signature_and_message(TX.signature, TX.data_hash, hasher=None).format() == key.format())


def naive_merkle(level: list[bytes]) -> bytes:
    if len(level) == 1:
        return level[0]
    return naive_merkle([keccak256(b"".join(level[start : start + 2])) for start in range(0, len(level), 2)])


@dataclass(frozen=True)
class Figure:
    """One line of the table. `limit` is the largest ratio that is still all right; `count` operations make one round."""

    name: str
    ours: Callable[[], Any]
    yardstick: Callable[[], Any]
    against: str
    limit: float
    count: int = 400


FIGURES = [
    Figure("recover", lambda: recover(TX.data_hash, TX.signature), bare_recover, "bare recover", 1.1),
    Figure("decode + hash + sender", lambda: decode_verified(RAW), bare_recover, "bare recover", 1.6),
    Figure("decode", lambda: decode_transaction(RAW), bare_recover, "bare recover", 0.4),
    Figure("hash", lambda: hash_transaction_data(TX.data), bare_recover, "bare recover", 0.1),
    Figure("encode", lambda: encode_transaction(TX), bare_recover, "bare recover", 0.3),
    Figure("sign", lambda: KEY.sign(TX.data_hash), bare_recover, "bare recover", 1.0),
    Figure("verify, key known", lambda: verify(KEY.node_id, TX.data_hash, TX.signature), naive_verify, "naive", 0.9),
    Figure("receipt encode + hash", lambda: (encode_receipt(RECEIPT), hash_receipt(RECEIPT)), bare_recover, "bare recover", 0.25),
    Figure("receipt decode", lambda: decode_receipt(RAW_RECEIPT), bare_recover, "bare recover", 0.3),
    Figure("Merkle root of 1000", lambda: merkle_root(LEAVES), lambda: naive_merkle(LEAVES), "naive", 1.0, count=4),
    Figure(
        "Ethereum decode + sender",
        lambda: decode_ethereum(ETHEREUM),
        lambda: Account.recover_transaction(ETHEREUM),
        "eth-account",
        0.3,
        100,
    ),
    Figure("Web3 decode + hash + sender", lambda: decode_verified(WRAPPED), bare_recover, "bare recover", 2.8),
    Figure("RLP decode", lambda: decode_list(ETHEREUM), lambda: rlp.decode(ETHEREUM), "rlp", 0.6),
    Figure("RLP encode", lambda: encode(ITEMS), lambda: rlp.encode(ITEMS), "rlp", 0.6),
]


def best_us(figure: Figure) -> tuple[float, float]:
    """Microseconds per operation, ours and the yardstick's: the best of alternating rounds."""
    ours, yardstick = [], []
    for _ in range(ROUNDS):
        ours.append(timeit.timeit(figure.ours, number=figure.count))
        yardstick.append(timeit.timeit(figure.yardstick, number=figure.count))
    return min(ours) / figure.count * 1e6, min(yardstick) / figure.count * 1e6


def main() -> int:
    assert decode_verified(RAW)[2] == naive_sender() == KEY.address
    assert merkle_root(LEAVES) == naive_merkle(LEAVES)
    assert naive_verify()
    passed = True
    print(f"{'operation':30} {'µs':>9} {'ratio':>7} {'limit':>6}   yardstick")
    for figure in FIGURES:
        ours_us, yardstick_us = best_us(figure)
        ratio = ours_us / yardstick_us
        passed &= ratio <= figure.limit
        print(
            f"{figure.name:30} {ours_us:9.1f} {ratio:7.2f} {figure.limit:6.2f}   {figure.against} ({yardstick_us:.1f} µs)"
            f"{'' if ratio <= figure.limit else '   PASSED THE LIMIT'}"
        )
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
