"""What RPC tells of the node itself, which its ledger does not know: names, versions, addresses, configuration.

The version told is the release whose behaviour the embedded node follows; platform and commit say that it is not that release.

Sources: spec 3.x 2.4 (group and node objects), 3.5; recordings rpc/read_methods_genesis.jsonl.xz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fiscotool.devnet.contracts import Sealer
from fiscotool.devnet.settings import Settings

__all__ = ["RpcIdentity", "identity_of", "p2p_key_text"]

_RSA_2048_HEAD: Final = "3082010a0282010100"
_RSA_EXPONENT: Final = "0203010001"
_MODULUS_DIGITS: Final = 512


@dataclass(frozen=True, slots=True)
class RpcIdentity:
    """The node as its RPC presents it. `node_id` is 64 bytes, `p2p_id` the 512 hex digits of its certificate's modulus.

    `genesis_sealers` are those of config.genesis, sorted by node id; `p2p_endpoint` is "host:port" as told to others.
    """

    chain_id: str
    group_id: str
    node_id: bytes
    p2p_id: str
    p2p_endpoint: str
    web3_chain_id: int
    genesis_sealers: tuple[Sealer, ...]
    tx_count_limit: int
    leader_period_blocks: int
    gas_limit: int
    block_version: int
    is_auth_check: bool
    is_serial_execute: bool
    returns_input: bool = True
    version: str = "3.16.4"
    platform: str = "Linux/fiscotool"
    commit: str = "embedded"
    build_time: str = ""
    name: str = ""
    agency: str = ""
    """2.x: the common names of its certificate and of that one's issuer."""


def identity_of(settings: Settings, *, node_id: bytes, p2p_id: str, names: tuple[str, str] = ("", "")) -> RpcIdentity:
    """The identity that follows from a node's configuration. `names` are those of its certificate (der.names_of)."""
    genesis = settings.genesis
    host = "127.0.0.1" if settings.p2p.host in {"0.0.0.0", "::"} else settings.p2p.host  # noqa: S104 - compared with, not bound
    return RpcIdentity(
        chain_id=settings.chain_id,
        group_id=settings.group_id,
        node_id=node_id,
        p2p_id=p2p_id,
        p2p_endpoint=f"{host}:{settings.p2p.port}",
        web3_chain_id=genesis.web3_chain_id,
        genesis_sealers=genesis.sealers,
        tx_count_limit=genesis.tx_count_limit,
        leader_period_blocks=genesis.leader_period_blocks,
        gas_limit=genesis.gas_limit,
        block_version=genesis.version,
        is_auth_check=genesis.is_auth_check,
        is_serial_execute=genesis.is_serial_execute,
        returns_input=settings.rpc_return_input,
        name=names[0],
        agency=names[1],
    )


def p2p_key_text(p2p_id: str) -> str:
    """The RSA public key as getPeers tells it: the DER of modulus and exponent 65537 in hex. Any other text stays as it is."""
    return f"{_RSA_2048_HEAD}{p2p_id}{_RSA_EXPONENT}" if len(p2p_id) == _MODULUS_DIGITS else p2p_id


def web3_client_version(identity: RpcIdentity) -> str:
    """The answer of web3_clientVersion."""
    return f"FISCO-BCOS-Web3RPC/{identity.version}-Release/{identity.platform}/{identity.commit}"


def genesis_config(identity: RpcIdentity) -> dict[str, Any]:
    """The JSON inside a group's `genesisConfig`."""
    return {
        "blockTxCountLimit": identity.tx_count_limit,
        "consensusLeaderPeriod": identity.leader_period_blocks,
        "consensusType": "pbft",
        "sealerList": [{"nodeID": sealer.node_id.hex(), "weight": sealer.weight} for sealer in identity.genesis_sealers],
        "txGasLimit": identity.gas_limit,
    }


def node_config(identity: RpcIdentity) -> dict[str, Any]:
    """The JSON inside a node's `iniConfig`."""
    return {
        "binaryInfo": {
            "buildTime": identity.build_time,
            "gitCommitHash": identity.commit,
            "platform": identity.platform,
            "version": identity.version,
        },
        "chainID": identity.chain_id,
        "gatewayServiceName": "",
        "groupID": identity.group_id,
        "isAuthCheck": identity.is_auth_check,
        "isSerialExecute": identity.is_serial_execute,
        "isWasm": False,
        "nodeID": identity.node_id.hex(),
        "nodeName": identity.node_id.hex(),
        "rpcServiceName": "",
        "smCryptoType": False,
    }
