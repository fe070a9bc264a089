"""Endless supplies of signed transactions, one for each kind a chain takes.

Rule 1. Transactions are ordinary: signed by one key, with a fresh nonce, to an address without code, so that every node verifies, orders,
        executes and stores them, and nothing of the chain's own state is touched.
Rule 2. The block limit of each is a window above the highest block seen so far, so a load can go on for ever.
Rule 3. A 2.x transaction carries four bytes of call data, a selector nobody has: shorter data to a contract has been seen to kill
        all nodes (ledger.tx2 Rule 5). Sent to an address without code its receipt says CallAddressError (26), and it is in its block.

Sources: spec 3.x 3.2 (blockLimit), 2.6 (nonces of Ethereum transactions); spec 2.x 3.1; recordings v2/rpc/bad_input ("tx: ok").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from fiscotool.chain.model import Chain
from fiscotool.errors import UsageError
from fiscotool.ledger.crypto import KeyPair
from fiscotool.ledger.errors import KeyFormatError
from fiscotool.ledger.tx2 import build_transaction2, encode_transaction2, transaction_hash2
from fiscotool.ledger.tx3 import build_transaction, encode_transaction, transaction_hash
from fiscotool.rpc.aio.plan import PreparedTx, TxKind

if TYPE_CHECKING:
    from fiscotool.rpc.eth_client import EthClient

BLOCK_LIMIT_AHEAD: Final = 500
_NO_SELECTOR: Final = bytes.fromhex("f15c0700")
_SECRET_DIGITS: Final = 64
_GENERATION_2: Final = 2
_TRANSFER_GAS: Final = 21_000


class TxSource(Protocol):
    """An endless supply of signed transactions. `height` follows the chain."""

    height: int

    def __iter__(self) -> Iterator[PreparedTx]:
        """Sign one whenever one is wanted."""


def kind_of(chain: Chain) -> TxKind:
    """The kind of transaction that is the chain's own."""
    return TxKind.NATIVE2 if chain.generation == _GENERATION_2 else TxKind.NATIVE


class NativeSource:
    """The chain's own kind: Tars for 3.x, RLP for 2.x. A fresh key signs unless one is given."""

    def __init__(self, chain: Chain, *, height: int, key: KeyPair | None = None) -> None:
        self._chain = chain
        self._key = key or KeyPair.generate()
        self._make = self._make2 if kind_of(chain) is TxKind.NATIVE2 else self._make3
        self.height = height

    def __iter__(self) -> Iterator[PreparedTx]:
        """See TxSource."""
        while True:
            yield self.make()

    def make(self) -> PreparedTx:
        """One signed transaction to an address without code."""
        return self._make(self.height + BLOCK_LIMIT_AHEAD)

    def _make3(self, block_limit: int) -> PreparedTx:
        tx = build_transaction(
            chain_id=self._chain.chain_id,
            group_id=self._chain.group_id,
            block_limit=block_limit,
            to=self._key.address.hex(),
            input=b"",
            key=self._key,
        )
        return PreparedTx(transaction_hash(tx).hex(), encode_transaction(tx).hex())

    def _make2(self, block_limit: int) -> PreparedTx:
        tx = build_transaction2(
            chain_id=self._chain.chain_id,
            group_id=self._chain.group_id,
            block_limit=block_limit,
            to=self._key.address,
            input=_NO_SELECTOR,
            key=self._key,
        )
        return PreparedTx(transaction_hash2(tx).hex(), f"0x{encode_transaction2(tx).hex()}")


class EthereumSource:
    """Ethereum transactions (EIP-155) of no value from an account to itself, signed by eth-account, with one nonce after the other."""

    def __init__(self, *, chain_id: int, nonce: int, key: KeyPair, gas_price_wei: int = 0) -> None:
        from eth_account import Account

        self.height = 0
        self._account = Account.from_key(_secret_of(key))
        self._nonces = itertools.count(nonce)
        self._fields: dict[str, Any] = {
            "to": self._account.address,
            "value": 0,
            "gas": _TRANSFER_GAS,
            "gasPrice": gas_price_wei,
            "data": b"",
            "chainId": chain_id,
        }

    @classmethod
    def for_node(cls, client: EthClient, key: KeyPair) -> EthereumSource:
        """With chain id, price and the account's next nonce as the node tells them."""
        address = f"0x{key.address.hex()}"
        return cls(
            chain_id=client.chain_id(),
            nonce=client.transaction_count(address, block="pending"),
            key=key,
            gas_price_wei=client.gas_price(),
        )

    def __iter__(self) -> Iterator[PreparedTx]:
        """See TxSource."""
        for nonce in self._nonces:
            signed = self._account.sign_transaction({**self._fields, "nonce": nonce})
            yield PreparedTx(signed.hash.hex().removeprefix("0x"), f"0x{signed.raw_transaction.hex().removeprefix('0x')}")


def _secret_of(key: KeyPair) -> bytes:
    """The 32 bytes eth-account wants; a KeyPair gives its secret away as PEM only."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = key.to_pem()
    loaded = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return loaded.private_numbers().private_value.to_bytes(32, "big")


def read_key(path: Path) -> KeyPair:
    """The key in a file: PEM as in conf/node.pem, or 64 hex digits. Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} cannot be read: {problem}", hint="give a PEM file, or a file with 64 hex digits") from problem
    digits = text.lower().removeprefix("0x")
    try:
        if len(digits) == _SECRET_DIGITS:
            return KeyPair.from_secret(bytes.fromhex(digits))
        return KeyPair.from_pem(text)
    except (KeyFormatError, ValueError) as problem:
        raise UsageError(f"{path} holds no secp256k1 key: {problem}", hint="give a PEM file, or a file with 64 hex digits") from problem
