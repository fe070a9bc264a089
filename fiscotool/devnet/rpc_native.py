"""The native JSON-RPC of FISCO BCOS 3.x: 32 methods, dispatched by name.

Rule 1. Parameters are converted before anything else, in their order; a conversion that fails is -32600 with the JSON library's words.
        Then the group is looked at: an unknown one is -32000, an empty or missing one is this node's. The node name is never looked at,
        but by getGroupNodeInfo.
Rule 2. No batches: an array is -32700. `id` and `jsonrpc` are echoed as converted (rpc_envelope).
Rule 3. A method returns its result, a generator that makes it in slices, or a Promise; it refuses by raising RpcFault.

Sources: spec 3.x 2.1-2.5; recordings rpc/*.jsonl.xz; bcos-rpc jsonrpc/JsonRpcInterface.cpp, JsonRpcImpl_2_0.cpp.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import GeneratorType, MappingProxyType
from typing import Any, Final

from fiscotool.devnet import rpc_errors
from fiscotool.devnet.contracts import NodeFacade
from fiscotool.devnet.rpc_envelope import error_bytes, parse_native, result_bytes
from fiscotool.devnet.rpc_errors import FAULTS, RpcFault, as_bool, as_int64, as_text, fault_of
from fiscotool.devnet.rpc_exchange import Answer, Pending
from fiscotool.devnet.rpc_filters import FilterKind, Filters
from fiscotool.devnet.rpc_identity import RpcIdentity
from fiscotool.devnet.rpc_native_chain import NativeChain
from fiscotool.devnet.rpc_native_shapes import (
    consensus_status_text,
    group_object,
    node_object,
    peers_object,
    sealers_list,
    sync_status_text,
)
from fiscotool.devnet.rpc_promise import Promise, sliced
from fiscotool.devnet.rpc_submit import send_native
from fiscotool.devnet.rpc_view import ChainView

__all__ = ["NativeRpc"]

NO_FLAGS: Final[Mapping[str, bool]] = MappingProxyType({})
BLOCK_FLAGS: Final[Mapping[str, bool]] = MappingProxyType({"only_header": True, "only_hashes": True})
PROOF_FLAG: Final[Mapping[str, bool]] = MappingProxyType({"needs_proof": False})

Params = Sequence[Any]
Method = Callable[[Params], Any]


def arg(params: Params, index: int) -> Any:
    """Parameter `index`, None when there are fewer."""
    return params[index] if index < len(params) else None


def flag(params: Params, index: int, *, default: bool) -> bool:
    """Flag parameter `index`, `default` when there are fewer. Raises RpcFault(-32600)."""
    return as_bool(params[index]) if index < len(params) else default


def flags_of(params: Params, defaults: Mapping[str, bool]) -> dict[str, bool]:
    """Flag parameters from the fourth on, by name."""
    return {name: flag(params, 3 + index, default=default) for index, (name, default) in enumerate(defaults.items())}


class NativeRpc:
    """The methods of one node. `handle` is what the HTTP server calls."""

    def __init__(self, facade: NodeFacade, identity: RpcIdentity, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._facade = facade
        self._identity = identity
        self._view = ChainView(facade)
        self._filters = Filters(self._view, clock_s, fault_code=rpc_errors.INVALID_PARAMS)
        self._methods: dict[str, Method] = self._group_methods() | self._node_methods() | self._chain_methods() | self._filter_methods()

    @property
    def method_names(self) -> frozenset[str]:
        """Every registered method."""
        return frozenset(self._methods)

    # Requests and answers

    def handle(self, body: bytes) -> Answer:
        """Answer one request body."""
        try:
            jsonrpc, name, params, request_id = parse_native(body)
        except RpcFault as fault:
            return error_bytes(fault, 0, "")
        method = self._methods.get(name)
        if method is None:
            return error_bytes(RpcFault(rpc_errors.METHOD_NOT_FOUND, rpc_errors.NO_METHOD), request_id, jsonrpc)
        try:
            result = method(params)
            if isinstance(result, GeneratorType):
                result = sliced(result)
        except FAULTS as problem:
            return error_bytes(fault_of(problem), request_id, jsonrpc)
        if type(result) is not Promise:
            return result_bytes(result, request_id, jsonrpc)
        pending = Pending()

        def on_done(value: Any, fault: RpcFault | None) -> None:
            pending.complete(result_bytes(value, request_id, jsonrpc) if fault is None else error_bytes(fault, request_id, jsonrpc))

        result.then(on_done)
        return pending if pending.answer is None else pending.answer

    def _check_group(self, params: Params, name: str) -> None:
        group = as_text(arg(params, 0))
        if group and group != self._identity.group_id:
            raise RpcFault(
                rpc_errors.SERVER_ERROR,
                "Invalid request for the specified node of doesn't exist or doesn't started!"
                f",request={name},chain={self._identity.chain_id},group={group},node={as_text(arg(params, 1))}",
            )

    def _in_group(self, name: str, read: Callable[[], Any]) -> Method:
        """A method without further parameters."""

        def method(params: Params) -> Any:
            self._check_group(params, name)
            return read()

        return method

    # The groups and nodes

    def _group_methods(self) -> dict[str, Method]:
        identity = self._identity
        group, node_id = identity.group_id, identity.node_id.hex()

        def group_peers(params: Params) -> list[str]:
            known = (identity.node_id, *(peer.node_id for peer in self._facade.peers()))
            return sorted({one.hex() for one in known}) if as_text(arg(params, 0)) == group else []

        def node_info(params: Params) -> Any:
            is_this = as_text(arg(params, 0)) == group and as_text(arg(params, 1)) == node_id
            return node_object(identity) if is_this else None

        return {
            "getGroupList": lambda _: {"code": 0, "groupList": [group], "msg": "success"},
            "getGroupInfo": lambda params: group_object(identity) if as_text(arg(params, 0)) == group else None,
            "getGroupInfoList": lambda _: [group_object(identity)],
            "getGroupNodeInfo": node_info,
            "getGroupPeers": group_peers,
            "getPeers": lambda _: peers_object(self._facade, identity),
        }

    def _node_methods(self) -> dict[str, Method]:
        facade, identity = self._facade, self._identity

        def totals() -> dict[str, int]:
            total, failed = facade.ledger.totals()
            return {"blockNumber": facade.ledger.height, "failedTransactionCount": failed, "transactionCount": total}

        reads: dict[str, Callable[[], Any]] = {
            "getBlockNumber": lambda: facade.ledger.height,
            "getConsensusStatus": lambda: consensus_status_text(facade, identity),
            "getObserverList": lambda: [node_id.hex() for node_id in facade.ledger.config.observers],
            "getPbftView": lambda: facade.consensus_status().view,
            "getPendingTxSize": lambda: facade.pool.total_count,
            "getSealerList": lambda: sealers_list(facade.ledger.config.sealers),
            "getSyncStatus": lambda: sync_status_text(facade, identity),
            "getTotalTransactionCount": totals,
        }
        return {name: self._in_group(name, read) for name, read in reads.items()}

    # The chain

    def _chain_methods(self) -> dict[str, Method]:
        chain, identity = NativeChain(self._view), self._identity

        def send(params: Params) -> Promise:
            needs_proof = flag(params, 3, default=False)
            self._check_group(params, "sendTransaction")
            return send_native(
                self._view,
                as_text(arg(params, 2)),
                chain_id=identity.chain_id,
                needs_proof=needs_proof,
                returns_input=identity.returns_input,
            )

        def with_number(name: str, read: Callable[..., Any], flags: Mapping[str, bool] = NO_FLAGS) -> Method:
            def method(params: Params) -> Any:
                number = as_int64(arg(params, 2))
                given = flags_of(params, flags)
                self._check_group(params, name)
                return read(number, **given)

            return method

        def with_text(name: str, read: Callable[..., Any], flags: Mapping[str, bool] = NO_FLAGS) -> Method:
            def method(params: Params) -> Any:
                given = flags_of(params, flags)
                self._check_group(params, name)
                return read(as_text(arg(params, 2)), **given)

            return method

        def call(params: Params) -> Any:
            self._check_group(params, "call")
            return chain.call(as_text(arg(params, 2)), as_text(arg(params, 3)), params[4] if len(params) > 4 else None)  # noqa: PLR2004

        return {
            "call": call,
            "getABI": with_text("getABI", chain.abi),
            "getBlockByHash": with_text("getBlockByHash", chain.block_by_hash, BLOCK_FLAGS),
            "getBlockByNumber": with_number("getBlockByNumber", chain.block, BLOCK_FLAGS),
            "getBlockHashByNumber": with_number("getBlockHashByNumber", chain.block_hash),
            "getCode": with_text("getCode", chain.code),
            "getNodeListByType": with_text("getNodeListByType", chain.nodes_by_type),
            "getSystemConfigByKey": with_text("getSystemConfigByKey", chain.system_config),
            "getTransaction": with_text("getTransaction", chain.transaction, PROOF_FLAG),
            "getTransactionReceipt": with_text("getTransactionReceipt", chain.receipt, PROOF_FLAG),
            "sendTransaction": send,
        }

    # Filters

    def _filter_methods(self) -> dict[str, Method]:
        filters, identity = self._filters, self._identity

        def in_group(name: str, act: Callable[[Any], Any]) -> Method:
            def method(params: Params) -> Any:
                group = as_text(arg(params, 0))
                if group and group != identity.group_id:
                    raise RpcFault(rpc_errors.GROUP_NOT_EXIST, f"group not exist,chain={identity.chain_id},group={group},commond={name}")
                return act(arg(params, 1))

            return method

        acts: dict[str, Callable[[Any], Any]] = {
            "getFilterChanges": filters.changes,
            "getFilterLogs": filters.logs,
            "getLogs": filters.query,
            "newBlockFilter": lambda _: filters.new(FilterKind.BLOCKS),
            "newFilter": partial(filters.new, FilterKind.LOGS),
            "newPendingTransactionFilter": lambda _: filters.new(FilterKind.TRANSACTIONS),
            "uninstallFilter": filters.uninstall,
        }
        return {name: in_group(name, act) for name, act in acts.items()}
