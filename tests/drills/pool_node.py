"""A fake 2.x node that takes transactions and makes blocks of them."""

from __future__ import annotations

import json
import socket
import threading

from fiscotool.ledger.tx2 import decode_verified2
from tests.observer.fake_chain2 import FakeNode2
from tests.rpc.fake_server import result_answer


class PoolNode(FakeNode2):
    """A 2.x node that takes transactions: it verifies them as 2.x does and puts each into a block of its own."""

    def __init__(self, name: str = "node0", index: int = 0, port: int | None = None) -> None:
        super().__init__(name, index, port)
        self.block_of: dict[int, str] = {}
        self.lock = threading.Lock()

    def _behave(self, body: bytes, connection: socket.socket) -> bytes | None:
        asked = json.loads(body)
        with self.lock:
            if asked["method"] == "sendRawTransaction":
                tx, tx_hash, _ = decode_verified2(bytes.fromhex(asked["params"][1].removeprefix("0x")))
                assert (tx.chain_id, tx.group_id, len(tx.input)) == (1, 1, 4)
                assert self.height < tx.block_limit <= self.height + 1000
                self.height += 1
                self.block_of[self.height] = f"0x{tx_hash.hex()}"
                return result_answer(body, f"0x{tx_hash.hex()}")
            if asked["method"] == "getBatchReceiptsByBlockNumberAndRange":
                number = int(asked["params"][1])
                return result_answer(body, {"transactionReceipts": [{"transactionHash": self.block_of[number], "status": "0x1a"}]})
        return super()._behave(body, connection)
