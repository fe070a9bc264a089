"""The table of the Ethereum JSON-RPC's methods, with those that need no more than a line.

Stubs are the real node's: eth_sign and eth_signTransaction answer "0x00", eth_sendTransaction a hash of zeros, eth_getUncleBy… the text
"null", eth_protocolVersion an error. net_version is a hex quantity and net_peerCount a plain number that counts the node itself.

Sources: spec 3.x 2.6; recordings rpc/read_methods_*.jsonl.xz; bcos-rpc web3jsonrpc/endpoints/*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from fiscotool.devnet import rpc_errors
from fiscotool.devnet.contracts import NodeFacade
from fiscotool.devnet.rpc_errors import RpcFault, as_text, data_of
from fiscotool.devnet.rpc_eth_chain import EthChain
from fiscotool.devnet.rpc_filters import FilterKind, Filters
from fiscotool.devnet.rpc_identity import RpcIdentity, web3_client_version
from fiscotool.ledger.crypto import address_of, keccak256

__all__ = ["EthMethod", "method_table"]

EthMethod = Callable[[Sequence[Any]], Any]

_ZERO_WORD: Final = f"0x{bytes(32).hex()}"
_DEFAULT_CHAIN_ID: Final = "0x4ee8"


def _fixed(value: Any) -> EthMethod:
    return lambda _: value


def _with(count: int, read: Callable[..., Any]) -> EthMethod:
    """A method that takes its first `count` parameters, None for those that are not there."""

    def method(params: Sequence[Any]) -> Any:
        return read(*(params[index] if index < len(params) else None for index in range(count)))

    return method


def _sha3(text: Any) -> str:
    try:
        return f"0x{keccak256(data_of(as_text(text))).hex()}"
    except ValueError:
        raise RpcFault(rpc_errors.INTERNAL_ERROR, "std::exception::what: std::exception\n") from None


def _not_implemented(_: Sequence[Any]) -> Any:
    raise RpcFault(rpc_errors.METHOD_NOT_FOUND, "This API has not been implemented yet!")


def _only_websocket(_: Sequence[Any]) -> Any:
    raise RpcFault(rpc_errors.INVALID_REQUEST, "Subscribe request only support websocket protocol")


def _configured(facade: NodeFacade, key: str, base: int, default: str) -> str:
    found = facade.ledger.system_config(key)
    try:
        number = int(found[0], base) if found is not None else 0
    except ValueError:
        number = 0
    return hex(number) if number else default


def _syncing(facade: NodeFacade) -> Any:
    is_syncing, highest, _ = facade.sync_status()
    if not is_syncing:
        return False
    return {"currentBlock": hex(facade.ledger.height), "highestBlock": hex(highest), "startingBlock": "0x0"}


def _node_methods(facade: NodeFacade, identity: RpcIdentity) -> dict[str, EthMethod]:
    return {
        "eth_accounts": _fixed([]),
        "eth_blockNumber": lambda _: hex(facade.ledger.height),
        "eth_chainId": lambda _: _configured(facade, "web3_chain_id", 10, "0x0"),
        "eth_coinbase": _fixed(f"0x{address_of(identity.node_id).hex()}"),
        "eth_gasPrice": lambda _: _configured(facade, "tx_gas_price", 16, "0x0"),
        "eth_hashrate": _fixed("0x0"),
        "eth_maxPriorityFeePerGas": _fixed("0x0"),
        "eth_mining": _fixed(value=False),
        "eth_protocolVersion": _not_implemented,
        "eth_sendTransaction": _fixed(_ZERO_WORD),
        "eth_sign": _fixed("0x00"),
        "eth_signTransaction": _fixed("0x00"),
        "eth_subscribe": _only_websocket,
        "eth_syncing": lambda _: _syncing(facade),
        "eth_unsubscribe": _only_websocket,
        "net_listening": _fixed(value=True),
        "net_peerCount": lambda _: len(facade.peers()) + 1,
        "net_version": lambda _: _configured(facade, "web3_chain_id", 10, _DEFAULT_CHAIN_ID),
        "web3_clientVersion": _fixed(web3_client_version(identity)),
        "web3_sha3": _with(1, _sha3),
    }


def _chain_methods(chain: EthChain) -> dict[str, EthMethod]:
    return {
        "eth_call": _with(1, chain.call),
        "eth_estimateGas": _with(1, chain.estimate_gas),
        "eth_getBalance": _with(1, chain.balance),
        "eth_getBlockByHash": _with(2, chain.block_by_hash),
        "eth_getBlockByNumber": _with(2, chain.block_by_number),
        "eth_getBlockTransactionCountByHash": _with(1, chain.count_by_hash),
        "eth_getBlockTransactionCountByNumber": _with(1, chain.count_by_number),
        "eth_getCode": _fixed("0x"),
        "eth_getStorageAt": _fixed(_ZERO_WORD),
        "eth_getTransactionByBlockHashAndIndex": _with(2, chain.transaction_at_hash),
        "eth_getTransactionByBlockNumberAndIndex": _with(2, chain.transaction_at_number),
        "eth_getTransactionByHash": _with(1, chain.transaction),
        "eth_getTransactionCount": _with(2, chain.transaction_count),
        "eth_getTransactionReceipt": _with(1, chain.receipt),
        "eth_getUncleByBlockHashAndIndex": _fixed("null"),
        "eth_getUncleByBlockNumberAndIndex": _fixed("null"),
        "eth_getUncleCountByBlockHash": _fixed("0x0"),
        "eth_getUncleCountByBlockNumber": _fixed("0x0"),
        "eth_sendRawTransaction": _with(1, chain.send_raw),
    }


def _filter_methods(filters: Filters) -> dict[str, EthMethod]:
    return {
        "eth_getFilterChanges": _with(1, filters.changes),
        "eth_getFilterLogs": _with(1, filters.logs),
        "eth_getLogs": _with(1, filters.query),
        "eth_newBlockFilter": lambda _: filters.new(FilterKind.BLOCKS),
        "eth_newFilter": _with(1, partial(filters.new, FilterKind.LOGS)),
        "eth_newPendingTransactionFilter": lambda _: filters.new(FilterKind.TRANSACTIONS),
        "eth_uninstallFilter": _with(1, filters.uninstall),
    }


def method_table(facade: NodeFacade, identity: RpcIdentity, chain: EthChain, filters: Filters) -> dict[str, EthMethod]:
    """Every method by its name."""
    return _node_methods(facade, identity) | _chain_methods(chain) | _filter_methods(filters)
