"""The JSON-RPC of FISCO BCOS 2.x, dispatched by name.

Rule 1. Parameters are a list of exactly the types a method declares, or -32602; a method without parameters ignores what it is given.
        An integer may be written as 1.0; a group beyond 32 bits is -32602 by the method, with `data` null (all recorded).
Rule 2. Of a method of a group, the group is looked at first (-40001), then whether this node is a member of it (-40009).
Rule 3. sendRawTransaction is answered with the hash when the pool has the transaction; nobody waits for its block.

Deviations: management of groups is forbidden (-100001), as on a real node with disable_dynamic_group=true; addPeers and erasePeers do not
exist; what the pool refuses is told in the node's own word, without the lines of a C++ compiler around it.

Sources: spec 2.x 2.1, 2.2, 8.1; librpc/RpcFace.h, Rpc.cpp; recordings v2/rpc.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GeneratorType
from typing import Any, Final

from fiscotool.devnet.contracts import AdmissionError, NodeFacade2
from fiscotool.devnet.rpc2_chain import Chain2, bytes_of, readable_transaction
from fiscotool.devnet.rpc2_envelope import (
    INVALID_PARAMS_TEXT,
    Fault2,
    Request2,
    answer_bytes,
    error_object,
    id_of,
    parse_body,
    read_request,
    result_object,
)
from fiscotool.devnet.rpc2_shapes import client_version, consensus_status, node_info, peer_info, sync_status
from fiscotool.devnet.rpc_errors import FAULTS, RpcFault
from fiscotool.devnet.rpc_exchange import Answer, Pending
from fiscotool.devnet.rpc_identity import RpcIdentity
from fiscotool.devnet.rpc_promise import Promise, sliced
from fiscotool.devnet.rpc_submit import await_submission
from fiscotool.ledger.crypto import keccak256

__all__ = ["Rpc2"]

_INT32_END: Final = 1 << 31
_FAR_BEHIND_BLOCKS: Final = 20
_CONFIG_KEYS: Final = frozenset({"tx_count_limit", "tx_gas_limit", "consensus_timeout"})
_EMPTY_KEYS: Final = frozenset({"rpbft_epoch_sealer_num", "rpbft_epoch_block_num", "enable_charge_mgr"})
_MANAGEMENT: Final = ("startGroup", "stopGroup", "removeGroup", "recoverGroup")
_NO_RPBFT: Final = "method getEpochSealersList only supported when rpbft is used, current consensus type is pbft"
_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "g": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value),
    "s": lambda value: isinstance(value, str),
    "b": lambda value: isinstance(value, bool),
    "o": lambda value: isinstance(value, dict),
}

Act = Callable[..., Any]
_Method = tuple[str, bool, Act]
"""(parameter types, whether the group is looked at, what is done with the parameters after the group)."""


class Rpc2:
    """The methods of one node. `handle` is what the HTTP server calls."""

    def __init__(self, facade: NodeFacade2, identity: RpcIdentity) -> None:
        self._facade = facade
        self._identity = identity
        self._group = int(identity.group_id)
        self._chain = Chain2(facade)
        self._methods: dict[str, _Method] = self._node_methods() | self._group_methods() | self._chain_methods()

    @property
    def method_names(self) -> frozenset[str]:
        """Every registered method."""
        return frozenset(self._methods)

    def receipt(self, tx_hash: bytes) -> Any:
        """What getTransactionReceipt answers."""
        return self._chain.receipt(f"0x{tx_hash.hex()}")

    # Requests and answers.

    def handle(self, body: bytes) -> Answer:
        """Answer one request body."""
        try:
            root = parse_body(body)
            if type(root) is list:
                return self._batch(root)
        except Fault2 as fault:
            return answer_bytes(error_object(None, fault))
        return _rendered(self._answer(root))

    def _batch(self, requests: list[Any]) -> Answer:
        if not requests:
            raise Fault2.of_library(-32600)
        answers = [self._answer(request) for request in requests]
        waiting = [at for at, answer in enumerate(answers) if isinstance(answer, _Later)]
        pending, left = Pending(), len(waiting)
        if not left:
            return answer_bytes(answers)

        def on_answer(at: int, answer: dict[str, Any]) -> None:
            nonlocal left
            answers[at] = answer
            left -= 1
            if not left:
                pending.complete(answer_bytes(answers))

        for at in waiting:
            later = answers[at]
            assert isinstance(later, _Later)
            later.then(lambda answer, at=at: on_answer(at, answer))  # type: ignore[misc]
        return pending if pending.answer is None else pending.answer

    def _answer(self, value: Any) -> dict[str, Any] | _Later:
        """The answer to one request, or the promise of it."""
        try:
            request = read_request(value)
            method = self._methods.get(request.method)
            if method is None:
                raise Fault2.of_library(-32601)
            if "id" not in value:
                return error_object(None, Fault2.of_library(-32604))
            result = self._call(method, request)
            if isinstance(result, GeneratorType):
                result = sliced(result)
        except Fault2 as fault:
            return error_object(id_of(value), fault)
        except FAULTS as problem:
            return error_object(id_of(value), _fault_of(problem))
        return _Later(request.request_id, result) if type(result) is Promise else result_object(request.request_id, result)

    def _call(self, method: _Method, request: Request2) -> Any:
        types, is_of_group, act = method
        if not types:
            return act()
        params = request.params
        if params is None or len(params) != len(types) or not all(_TYPES[kind](value) for kind, value in zip(types, params, strict=True)):
            raise Fault2.of_library(-32602)
        group = int(params[0])
        if not -_INT32_END <= group < _INT32_END:
            raise Fault2(-32602, INVALID_PARAMS_TEXT)
        if is_of_group:
            self._check_group(group)
        return act(*params[1:]) if types[0] == "g" and is_of_group else act(*params)

    def _check_group(self, group: int) -> None:
        if group != self._group:
            raise Fault2(-40001, "GroupID does not exist")
        config = self._facade.ledger.config
        me = self._identity.node_id
        if me not in config.observers and all(sealer.node_id != me for sealer in config.sealers):
            raise Fault2(-40009, "Don't send request to this node who doesn't belong to the group")

    # Methods.

    def _node_methods(self) -> dict[str, _Method]:
        facade, identity = self._facade, self._identity
        settings = facade.settings
        return {
            "getClientVersion": ("", False, lambda: client_version(identity, settings.genesis.compatibility_version)),
            "getNodeInfo": ("", False, lambda: node_info(identity)),
            "getGroupList": ("", False, lambda: [self._group]),
            "rpc_modules": ("", False, lambda: {"FISCO BCOS": "2.0"}),
            "queryPeers": ("", False, lambda: [str(endpoint) for endpoint in settings.nodes]),
            "getPeers": ("g", False, lambda _: [peer_info(peer) for peer in facade.peers()]),
            "getNodeIDList": ("g", False, lambda _: [identity.node_id.hex(), *(peer.node_id.hex() for peer in facade.peers())]),
            "queryGroupStatus": ("g", False, self._group_status),
            "generateGroup": ("go", False, _forbidden),
            **dict.fromkeys(_MANAGEMENT, ("g", False, _forbidden)),
        }

    def _group_status(self, group: float) -> dict[str, str]:
        return {"code": "0x0", "message": "", "status": "RUNNING" if group == self._group else "INEXISTENT"}

    def _group_methods(self) -> dict[str, _Method]:
        facade, identity = self._facade, self._identity

        def members() -> list[str]:
            config = facade.ledger.config
            return [*(sealer.node_id.hex() for sealer in config.sealers), *(node_id.hex() for node_id in config.observers)]

        def totals() -> dict[str, str]:
            total, failed = facade.ledger.totals()
            return {"blockNumber": hex(facade.ledger.height), "failedTxSum": hex(failed), "txSum": hex(total)}

        def no_epochs() -> Any:
            raise Fault2(-40009, _NO_RPBFT)

        reads: dict[str, Act] = {
            "getBlockNumber": lambda: hex(facade.ledger.height),
            "getPbftView": lambda: hex(facade.consensus_status().view),
            "getSealerList": lambda: [sealer.node_id.hex() for sealer in facade.ledger.config.sealers],
            "getObserverList": lambda: [node_id.hex() for node_id in facade.ledger.config.observers],
            "getEpochSealersList": no_epochs,
            "getConsensusStatus": lambda: consensus_status(facade, identity),
            "getSyncStatus": lambda: sync_status(facade, identity),
            "getGroupPeers": members,
            "getPendingTxSize": lambda: hex(facade.pool.total_count),
            "getTotalTransactionCount": totals,
            "getPendingTransactions": self._chain.pending,
        }
        return {name: ("g", True, read) for name, read in reads.items()}

    def _chain_methods(self) -> dict[str, _Method]:
        chain = self._chain
        return {
            "getSystemConfigByKey": ("gs", True, self._system_config),
            "getBlockByHash": ("gsb", True, chain.block_by_hash),
            "getBlockByNumber": ("gsb", True, chain.block),
            "getBlockHeaderByHash": ("gsb", True, chain.header_by_hash),
            "getBlockHeaderByNumber": ("gsb", True, chain.header),
            "getBlockHashByNumber": ("gs", True, chain.block_hash),
            "getTransactionByHash": ("gs", True, chain.transaction),
            "getTransactionByBlockHashAndIndex": ("gss", True, chain.transaction_at_hash),
            "getTransactionByBlockNumberAndIndex": ("gss", True, chain.transaction_at),
            "getTransactionReceipt": ("gs", True, chain.receipt),
            "getTransactionByHashWithProof": ("gs", True, chain.transaction_with_proof),
            "getTransactionReceiptByHashWithProof": ("gs", True, chain.receipt_with_proof),
            "getBatchReceiptsByBlockNumberAndRange": ("gsssb", True, chain.receipts_of),
            "getBatchReceiptsByBlockHashAndRange": ("gsssb", True, chain.receipts_of_hash),
            "getCode": ("gs", True, chain.code),
            "call": ("go", True, chain.call),
            "sendRawTransaction": ("gs", True, self._send),
            "sendRawTransactionAndGetProof": ("gs", True, self._send),
        }

    def _system_config(self, key: str) -> str:
        if key in _EMPTY_KEYS:
            return ""
        found = self._facade.ledger.system_config(key) if key in _CONFIG_KEYS else None
        if found is None:
            raise Fault2(-40008, "Invalid System Config")
        return found[0]

    def _send(self, text: str) -> Promise:
        raw = bytes_of(text)
        readable_transaction(raw)
        tx_hash = keccak256(raw).hex()
        if self._facade.backed_height() - self._facade.ledger.height > _FAR_BEHIND_BLOCKS:
            raise Fault2.internal(f"[dev::tag_comment*] = ImportResult::NodeIsSyncing, txHash={tx_hash[:8]}...")

        def refused(problem: AdmissionError) -> RpcFault:
            return RpcFault(-32603, Fault2.internal(f"[dev::tag_comment*] = {problem.message}, txHash={tx_hash[:8]}...").message)

        return await_submission(self._chain, raw, wait=False, shape=lambda done: f"0x{done.hex()}", refused=refused)


class _Later:
    """An answer whose result is promised."""

    def __init__(self, request_id: Any, promise: Promise) -> None:
        self._request_id = request_id
        self._promise = promise

    def then(self, on_answer: Callable[[dict[str, Any]], None]) -> None:
        """Call `on_answer` when it is there."""

        def on_done(value: Any, fault: RpcFault | None) -> None:
            answer = result_object(self._request_id, value) if fault is None else error_object(self._request_id, _fault_of(fault))
            on_answer(answer)

        self._promise.then(on_done)


def _rendered(answer: dict[str, Any] | _Later) -> Answer:
    if not isinstance(answer, _Later):
        return answer_bytes(answer)
    pending = Pending()
    answer.then(lambda told: pending.complete(answer_bytes(told)))
    return pending if pending.answer is None else pending.answer


def _fault_of(problem: Exception) -> Fault2:
    if isinstance(problem, RpcFault):
        return Fault2(problem.code, problem.message)
    return Fault2.internal(f"std::exception::what: {problem}")


def _forbidden(*_: Any) -> Any:
    raise Fault2(-100001, "Dynamic group related interfaces are forbidden to access")
