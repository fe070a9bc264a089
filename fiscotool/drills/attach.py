"""A chain known by the RPC addresses of its nodes alone: it can be asked and watched, never controlled.

Rule 1. What a directory would say (chain id, group, sealers, node ids, versions) is asked of the nodes; one that does not answer now is
        kept, so that it is seen when it comes back.
Rule 2. All addresses are of one chain: two chain ids or two groups are refused, for nothing that is said of their agreement would mean
        anything.
Rule 3. No process is known. `nodes.process` finds none for these nodes, so that nothing can be done to them by mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fiscotool.chain.model import Chain, Generation, Genesis, NodeHome
from fiscotool.errors import EnvironmentFailure, RpcError, Unreachable, UsageError
from fiscotool.rpc.any_client import AnyClient
from fiscotool.rpc.dialect import Dialect
from fiscotool.rpc.replies_consensus import ConsensusStatus
from fiscotool.rpc.tls import TlsFiles

ASK_S = 3.0
NOWHERE = Path("/proc/self/nowhere")
"""Directories of nodes without one are below it: paths at which nothing can ever be."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where nodes are said to be: URLs or HOST:PORT. `sdk`: directory of ca.crt, sdk.crt, sdk.key for TLS. `group` "": the first one."""

    urls: tuple[str, ...]
    sdk: Path | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class AttachedNode(NodeHome):
    """A node known by its address."""

    sdk: Path | None = None

    @property
    def sdk_directory(self) -> Path:
        """Where the certificates are that were given."""
        return self.sdk if self.sdk is not None else NOWHERE


@dataclass(frozen=True, slots=True)
class AttachedChain(Chain):
    """A chain known by addresses. Its nodes are named by them, in the order given."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What one address said: a status and facts, or an error."""

    address: str
    error: RpcError | None = None
    url: str = ""
    dialect: Dialect = Dialect.FISCO3
    version: str = ""
    chain_id: str = ""
    group: str = ""
    status: ConsensusStatus | None = None


def attach(addresses: Addresses) -> AttachedChain:
    """The chain at these addresses. Raises Unreachable when none answers, EnvironmentFailure for two chains, UsageError for no address."""
    wanted = tuple(dict.fromkeys(text.strip() for text in addresses.urls if text.strip()))
    if not wanted:
        raise UsageError("--rpc names no address", hint="for example --rpc 127.0.0.1:20200,127.0.0.1:20201")
    tls = TlsFiles.from_sdk(addresses.sdk) if addresses.sdk is not None else None
    with ThreadPoolExecutor(max_workers=min(32, len(wanted)), thread_name_prefix="attach") as pool:
        told = list(pool.map(lambda address: _ask(address, addresses.group, tls), wanted))
    known = [each for each in told if each.error is None]
    if not known:
        raise _nobody(told)
    first = known[0]
    _refuse_two_chains(known)
    status = next((each.status for each in known if each.status is not None), None)
    generation: Generation = 2 if first.dialect is Dialect.FISCO2 else 3
    uses_tls = first.url.startswith("https:")
    return AttachedChain(
        root=Path(", ".join(wanted)),
        nodes=tuple(_node(each, generation, uses_tls=uses_tls, sdk=addresses.sdk) for each in told),
        engine="unknown",
        chain_id=first.chain_id,
        group_id=first.group,
        version=first.version,
        genesis=Genesis({node.node_id: node.weight for node in status.nodes} if status is not None else {}),
        generation=generation,
        protocol="fisco2" if generation == 2 else "fisco3",  # noqa: PLR2004 - FISCO BCOS 2
    )


def _ask(address: str, group: str, tls: TlsFiles | None) -> _Told:
    client = AnyClient(address, group=group, timeout_s=ASK_S, tls=tls)
    try:
        version = client.version()
        status = client.consensus_status()
        node = client.node
        return _Told(address, None, node.url, version.dialect, version.version, version.chain_id, node.group, status)
    except RpcError as error:
        return _Told(address, error)
    finally:
        client.close()


def _nobody(told: Sequence[_Told]) -> RpcError:
    first = told[0].error
    assert first is not None
    if len(told) == 1:
        return first
    return Unreachable(f"none of the {len(told)} addresses answers; {first.message}", hint=first.hint)


def _refuse_two_chains(known: Sequence[_Told]) -> None:
    first = known[0]
    for each in known[1:]:
        if (each.chain_id, each.group, each.dialect) != (first.chain_id, first.group, first.dialect):
            raise EnvironmentFailure(
                f"these are nodes of two chains: {first.address} is of {first.chain_id}/{first.group} ({first.dialect}), "
                f"{each.address} of {each.chain_id}/{each.group} ({each.dialect})",
                hint="name the nodes of one chain, and its group with --group",
            )
        if each.status is not None and first.status is not None and not _share_members(each.status, first.status):
            raise EnvironmentFailure(
                f"these are nodes of two chains: {first.address} and {each.address} have no sealer in common",
                hint="name the nodes of one chain",
            )


def _share_members(one: ConsensusStatus, other: ConsensusStatus) -> bool:
    mine, theirs = {node.node_id for node in one.nodes}, {node.node_id for node in other.nodes}
    return not mine or not theirs or bool(mine & theirs)


def _node(told: _Told, generation: Generation, *, uses_tls: bool, sdk: Path | None) -> AttachedNode:
    parts = urlsplit(told.url or (told.address if "://" in told.address else f"//{told.address}"))
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.hostname is None or port is None:
        raise UsageError(f"{told.address!r} is not the address of a node", hint="write it as HOST:PORT, such as 127.0.0.1:20200")
    return AttachedNode(
        name=f"{parts.hostname}:{port}",
        directory=NOWHERE / f"{parts.hostname}-{port}",
        host=parts.hostname,
        p2p_port=0,
        rpc_port=port,
        web3_port=0,
        web3_enabled=False,
        rpc_tls=parts.scheme == "https" if parts.scheme else uses_tls,
        node_id=told.status.node_id if told.status is not None else "",
        p2p_id="",
        generation=generation,
        sdk=sdk,
    )
