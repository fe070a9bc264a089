"""A process that writes blocks until it is killed: `python -m tests.devnet.ledger_writer DIRECTORY`. It prints each durable height."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.devnet.ledger_world import RICH, USER, native, open_world


async def write(directory: Path) -> None:
    """Blocks of five transfers, each one wei, and a segment every 20 transactions."""
    world = open_world(directory, segment_txs=20)
    to = USER.address.hex()
    while True:
        await world.add_block([native(to=to, key=RICH, version=1, value="0x1", block_limit=10**6) for _ in range(5)])
        sys.stdout.write(f"{world.ledger.height}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
