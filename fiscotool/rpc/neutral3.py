"""What a 3.x node says of its version, in the words of rpc.neutral; pure.

Source: spec 3.x 2.4 (group and node objects); bcos-framework protocol/ProtocolTypeDef.h (compatibilityVersion 0xMMmmpp00).
"""

from __future__ import annotations

from collections.abc import Sequence

from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.neutral import NodeVersion
from fiscotool.rpc.replies_group import GroupInfo


def dotted(compatibility_version: int) -> str:
    """0x03100400 as 3.16.4."""
    return ".".join(str(compatibility_version >> shift & 0xFF) for shift in (24, 16, 8))


def version_of(infos: Sequence[GroupInfo]) -> NodeVersion:
    """From getGroupInfoList. A node tells only itself; the first node of the first group that has one counts."""
    nodes = [node for info in infos for node in info.nodes]
    node = nodes[0] if nodes else None
    return NodeVersion(
        dialect=Dialect.FISCO3,
        version=node.version if node is not None else "",
        compatibility=dotted(node.compatibility_version) if node is not None else "",
        chain_id=infos[0].chain_id if infos else "",
        groups=tuple(info.group_id for info in infos),
        kind="" if node is None else ("sm" if node.kind == 1 else "ecdsa"),
        extra=dict(node.ini_config) if node is not None else {},
    )
