"""Real chains as targets: processes of this machine, hurt by signals, looked at over RPC.

Rule. The only module of the room that knows processes. Everything it does to one goes through `nodes.control`, which touches only what
      it can prove to be the node's (pid, start time, executable, working directory).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from fiscotool.chain.model import Chain, NodeHome
from fiscotool.consistency.observations import Incarnation
from fiscotool.drills.run import leader_name
from fiscotool.drills.target import Look
from fiscotool.errors import EnvironmentFailure, RpcError
from fiscotool.nodes import control
from fiscotool.nodes.process import find, state_of
from fiscotool.rpc.client import NodeClient
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.neutral import NodeReader
from fiscotool.rpc.tls import TlsFiles

LOOK_TIMEOUT_S = 1.0
_GENERATION_2 = 2
START_WITHIN_S = 30.0


def client_for(node: NodeHome, *, group: str, timeout_s: float = 5.0) -> NodeReader:
    """A client of the node's RPC: of 3.x with the host's sdk/ certificates when it wants TLS, of 2.x over plain HTTP."""
    if node.generation == _GENERATION_2:
        return NodeClient2(node.rpc_url, group=group or "1", timeout_s=timeout_s, name=node.name)
    tls = TlsFiles.from_sdk(node.sdk_directory) if node.rpc_tls else None
    return NodeClient(node.rpc_url, group=group, timeout_s=timeout_s, tls=tls, name=node.name)


def look_at(client: NodeReader, name: str) -> Look:
    """One question to one node: getConsensusStatus has all that a glance needs."""
    try:
        status = client.consensus_status()
    except RpcError as error:
        return Look(name, error.message)
    return Look(
        name,
        "",
        status.height,
        status.view,
        status.timeout,
        status.index,
        status.leader_index,
        status.connected_count,
        status.node_count,
        status.quorum_weight,
    )


class LocalTarget:
    """The chain of a directory, its nodes running as processes of this machine."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.names = tuple(node.name for node in chain.nodes)
        self.homes = {node.name: node for node in chain.nodes}
        self._clients = {node.name: client_for(node, group=chain.group_id, timeout_s=LOOK_TIMEOUT_S) for node in chain.nodes}
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(chain.nodes)), thread_name_prefix="look")

    def close(self) -> None:
        """Drop connections and threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    def look(self) -> dict[str, Look]:
        """A glance at every node, all at once."""
        return {look.name: look for look in self._pool.map(lambda name: look_at(self._clients[name], name), self.names)}

    def state_of(self, name: str) -> str:
        """running, paused or stopped, from the process table."""
        return state_of(self.homes[name]).state

    def incarnation_of(self, name: str) -> Incarnation | None:
        """Pid and start time of the node's process."""
        identity = find(self.homes[name])
        return Incarnation(identity.pid, identity.started) if identity is not None else None

    def start(self, name: str) -> None:
        """Start it and wait until its RPC answers."""
        control.start([self.homes[name]], wait_s=START_WITHIN_S)

    def stop(self, name: str) -> None:
        """SIGTERM, and wait until it is gone."""
        self._act(control.stop, name)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        self._act(control.kill, name)

    def pause(self, name: str) -> None:
        """SIGSTOP, and wait until it is frozen."""
        self._act(control.pause, name)

    def resume(self, name: str) -> None:
        """SIGCONT, and wait until it runs."""
        self._act(control.resume, name)

    def _act(self, act: Callable[[Iterable[NodeHome]], object], name: str) -> None:
        act([self.homes[name]])


def names_by_index(chain: Chain, looks: dict[str, Look]) -> dict[int, str]:
    """Which node has which consensus index: as the nodes say; those that do not answer, as the genesis has it (the order of node ids)."""
    told = {look.node_index: name for name, look in looks.items() if look.node_index is not None}
    ordered = [chain.node_of_id(node_id) for node_id in chain.genesis.sorted_ids]
    from_genesis = {index: node.name for index, node in enumerate(ordered) if node is not None}
    if any(from_genesis.get(index) != name for index, name in told.items()):
        return told  # The list of sealers has changed since.
    return from_genesis | told


def _look_once(chain: Chain) -> dict[str, Look]:
    target = LocalTarget(chain)
    try:
        return target.look()
    finally:
        target.close()


def leader_of(chain: Chain) -> NodeHome:
    """The node that would propose the next block, as the nodes say. Raises EnvironmentFailure when none can say, or when it is down."""
    looks = _look_once(chain)
    name = leader_name(looks)
    node = chain.node(name) if name is not None else None
    if node is not None:
        return node
    names = names_by_index(chain, looks)
    awaited = sorted({names.get(look.leader_index, "?") for look in looks.values() if look.answers and look.leader_index is not None})
    if awaited:
        raise EnvironmentFailure(
            f"@leader: the others wait for {' or '.join(awaited)}, which does not answer",
            hint="while the chain is idle that stays so; a transaction makes them change the view: fiscotool send",
        )
    raise EnvironmentFailure("@leader: no node answers who leads", hint="see: fiscotool status")


def follower_of(chain: Chain) -> NodeHome:
    """The first running node that is not the leader. Raises EnvironmentFailure when there is none."""
    looks = _look_once(chain)
    if not any(look.answers for look in looks.values()):
        raise EnvironmentFailure("@follower: no node answers who leads", hint="see: fiscotool status")
    leader = leader_name(looks)
    for node in chain.nodes:
        if node.name != leader and state_of(node).state == "running":
            return node
    raise EnvironmentFailure("@follower: no node but the leader runs", hint="see: fiscotool status")
