"""The three languages nodes speak, and which of them a port speaks is found out by asking (rpc.detect).

    FISCO3      3.x native JSON-RPC: HTTP, TLS or mutual TLS on 20200; group is a text; numbers are JSON integers
    FISCO2      2.x JSON-RPC: plain HTTP on 8545; group is an integer; quantities are hex texts. (20200 of 2.x is the channel port.)
    ETHEREUM    3.x Ethereum JSON-RPC: plain HTTP on 8545; no group

Sources: spec 3.x 2.1, 2.6; spec 2.x 2.1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Dialect(StrEnum):
    """What a port speaks. The value is what people read."""

    FISCO3 = "3.x"
    FISCO2 = "2.x"
    ETHEREUM = "ethereum"


GROUP_MAX: Final = 2**31 - 1
"""Greatest group id of 2.x: a greater one is refused as a wrong parameter (recorded)."""


def is_group_number(group: str) -> bool:
    """Whether `group` is written as 2.x writes groups: 1, 2 …; 3.x names them (group0)."""
    return group.isascii() and group.isdigit() and len(group) <= len(str(GROUP_MAX)) and int(group) <= GROUP_MAX
