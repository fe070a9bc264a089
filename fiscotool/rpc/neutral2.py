"""What a 2.x node says, in the words of rpc.neutral; pure.

Rule 1. Nothing is made up: what 2.x does not tell is None, "" or empty, and what only 2.x tells is kept in `extra` under its own name.
Rule 2. A leader is told only where the formula holds: index = (view + height) mod n, at a sealer that does not ask for another view
        (spec 2.x 1.1). Height is that of the last committed block, as the node counts.
Rule 3. n, f and quorum are counts in 2.x; here they are weights of 1 each.

Sources: spec 2.x 1.1, 2.1, 2.3; libconsensus/pbft/PBFTEngine.h `getLeader`, `minValidNodes`.
"""

from __future__ import annotations

from collections.abc import Sequence

from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.neutral import NodeVersion
from fiscotool.rpc.replies2_chain import Block2, Transaction2
from fiscotool.rpc.replies2_receipt import CallResult2, Receipt2, TransactionCount2
from fiscotool.rpc.replies2_status import ClientVersion, ConsensusStatus2, NodeInfo2, SyncStatus2
from fiscotool.rpc.replies_consensus import ConsensusNode, ConsensusStatus, Sealer, SyncPeer, SyncStatus
from fiscotool.rpc.replies_group import Peer, Peers
from fiscotool.rpc.replies_ledger import Block, Parent, Signature, Transaction
from fiscotool.rpc.replies_receipt import CallResult, LogEntry, Receipt, TransactionCount


def leader_index(status: ConsensusStatus2) -> int | None:
    """Index of the leader of the next block as this node sees it; None where it has none (Rule 2)."""
    if status.leader_index is not None:
        return status.leader_index
    if status.view is None or status.leader_failed is not False or status.index is None or status.config_error or not status.node_count:
        return None
    return (status.view + status.height) % status.node_count


def version_of(told: ClientVersion, groups: Sequence[int]) -> NodeVersion:
    """From getClientVersion and getGroupList."""
    number, _, suffix = told.version.partition(" ")
    return NodeVersion(
        dialect=Dialect.FISCO2,
        version=number,
        compatibility=told.supported_version.partition(" ")[0],
        chain_id=told.chain_id,
        groups=tuple(str(group) for group in groups),
        kind="sm" if suffix.strip() == "gm" else "ecdsa",
        extra={"build_time": told.build_time, "build_type": told.build_type, "git_commit": told.git_commit, **told.extra},
    )


def consensus_of(told: ConsensusStatus2) -> ConsensusStatus:
    """From getConsensusStatus."""
    return ConsensusStatus(
        node_id=told.node_id,
        index=told.index,
        leader_index=leader_index(told),
        node_count=told.node_count,
        faulty_weight_max=told.faulty_max,
        quorum_weight=told.node_count - told.faulty_max,
        is_consensus_node=told.is_sealer,
        height=told.height,
        block_hash=told.block_hash.removeprefix("0x"),
        timeout=bool(told.leader_failed),
        change_cycle=None,
        view=told.view or 0,
        connected_count=told.connected_count + 1,
        nodes=tuple(ConsensusNode(index, node_id, 1, 0) for index, node_id in enumerate(told.sealers)),
        extra={
            "toView": told.to_view,
            "leaderFailed": told.leader_failed,
            "cfgErr": told.config_error,
            "consensusedBlockNumber": told.next_height,
            "views": {seen.node_id: seen.view for seen in told.views},
            **({"leaderId": told.leader_id} if told.leader_id else {}),
            **told.extra,
        },
    )


def sync_of(told: SyncStatus2) -> SyncStatus:
    """From getSyncStatus."""
    return SyncStatus(
        node_id=told.node_id,
        is_syncing=told.is_syncing,
        height=told.height,
        latest_hash=told.latest_hash,
        genesis_hash=told.genesis_hash,
        known_highest=told.known_highest,
        known_latest_hash=told.known_latest_hash,
        archived_height=None,
        peers=tuple(SyncPeer(peer.node_id, peer.height, peer.latest_hash, peer.genesis_hash, None, peer.extra) for peer in told.peers),
        extra={"txPoolSize": told.pending_count, **told.extra},
    )


def sealers_of(node_ids: Sequence[str]) -> tuple[Sealer, ...]:
    """getSealerList, in index order: 2.x lists them in storage order and counts them sorted."""
    return tuple(Sealer(node_id, 1, 0) for node_id in sorted(node_ids))


def peers_of(me: NodeInfo2, peers: Sequence[NodeInfo2], group: str, members: Sequence[str]) -> Peers:
    """From getNodeInfo and getPeers; `members` are the group's nodes (getGroupPeers)."""

    def peer(told: NodeInfo2) -> Peer:
        groups: dict[str, tuple[str, ...]] = {group: (told.node_id,)} if told.node_id in members else {}
        return Peer(told.end_point, told.node_id, groups, {"agency": told.agency, "node": told.node, "topics": told.topics, **told.extra})

    return Peers(peer(me), tuple(peer(item) for item in peers))


def transaction_of(told: Transaction2) -> Transaction:
    """From getTransactionByHash."""
    return Transaction(
        version=0,
        tx_hash=told.tx_hash,
        sender=told.sender,
        to=told.to,
        input=told.input,
        nonce=hex(told.nonce),
        block_limit=told.block_limit,
        chain_id="" if told.chain_id is None else str(told.chain_id),
        group_id="" if told.group_id is None else str(told.group_id),
        import_time_ms=None,
        abi="",
        signature=told.signature.whole if told.signature is not None else "",
        extra_data=told.extra_data,
        value=str(told.value),
        gas_price=str(told.gas_price),
        gas_limit=told.gas_limit,
        extra={"blockNumber": told.block_number, "blockHash": told.block_hash, "transactionIndex": told.index, **told.extra},
    )


def receipt_of(told: Receipt2) -> Receipt:
    """From getTransactionReceipt."""
    return Receipt(
        tx_hash=told.tx_hash,
        block_number=-1 if told.block_number is None else told.block_number,
        status=told.status,
        output=told.output,
        message="" if told.succeeded else told.status_message or "",
        gas_used=str(told.gas_used),
        receipt_hash="",
        version=0,
        contract_address=told.contract_address,
        checksum_contract_address="",
        sender=told.sender,
        to=told.to,
        input=told.input or "",
        extra_data="",
        logs=tuple(LogEntry(log.address, log.topics, log.data, log.extra) for log in told.logs),
        extra={
            "blockHash": told.block_hash,
            "transactionIndex": told.index,
            "remainGas": told.remain_gas,
            "root": told.state_root,
            "logsBloom": told.logs_bloom,
            **told.extra,
        },
    )


def block_of(told: Block2, *, only_hashes: bool) -> Block:
    """A block or header. `version` is 0: 2.x headers have none."""
    return Block(
        number=told.number,
        block_hash=told.block_hash,
        version=0,
        parents=(Parent(told.number - 1, told.parent_hash),) if told.number else (),
        txs_root=told.txs_root,
        receipts_root=told.receipts_root,
        state_root=told.state_root,
        gas_used=str(told.gas_used),
        timestamp_ms=told.timestamp_ms,
        sealer=told.sealer,
        sealer_list=told.sealer_list,
        weights=(1,) * len(told.sealer_list),
        signatures=tuple(Signature(item.sealer_index, item.signature, item.extra) for item in told.signatures or ()),
        extra_data="".join(told.extra_data),
        tx_hashes=told.tx_hashes,
        transactions=None if only_hashes or told.transactions is None else tuple(transaction_of(item) for item in told.transactions),
        told=told.told,
        extra={
            "dbHash": told.db_hash,
            "gasLimit": told.gas_limit,
            "logsBloom": told.logs_bloom,
            "extraData": told.extra_data,
            **told.extra,
        },
    )


def count_of(told: TransactionCount2) -> TransactionCount:
    """From getTotalTransactionCount."""
    return TransactionCount(told.block_number, told.transaction_count, told.failed_count, told.extra)


def call_of(told: CallResult2) -> CallResult:
    """From call."""
    return CallResult(told.block_number, told.status, told.output, told.extra)
