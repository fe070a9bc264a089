"""Peer links over real TLS sockets: who is let in, who is not and why, one link a pair, and what hostile bytes do."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fiscotool.chain.model import Chain
from fiscotool.devnet.der import certificate_of, p2p_id_of
from fiscotool.devnet.frames import Module, encode_frame
from fiscotool.devnet.links import Identity
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.peers import Peers, tls_contexts
from fiscotool.devnet.proto import node_pb2
from fiscotool.devnet.settings import Settings, read_settings
from fiscotool.ledger.crypto import KeyPair
from tests.devnet.chains import make_chain


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("links") / "nodes", 3)


class Side:
    """One node's peers, and what they told."""

    def __init__(self, settings: Settings, genesis_hash: bytes = b"g" * 32) -> None:
        self.log = NodeLog(settings.directory / "log")
        self.key = KeyPair.from_pem(settings.private_key.read_bytes())
        self.lost: list[bytes] = []
        self.frames: list[tuple[bytes, int, bytes]] = []
        identity = Identity(
            key=self.key,
            group_id="group0",
            chain_id="chain0",
            genesis_hash=genesis_hash,
            certificate=certificate_of(settings.node_cert),
            listen_port=settings.p2p.port,
            message_bytes_max=settings.message_bytes_max,
        )
        self.settings = settings
        self.peers = Peers(settings, identity, self, self.log, time.monotonic)

    def on_peer_connected(self, node_id: bytes) -> None:
        pass

    def on_peer_lost(self, node_id: bytes) -> None:
        self.lost.append(node_id)

    def on_peer_frame(self, node_id: bytes, module: int, payload: bytes) -> None:
        self.frames.append((node_id, module, payload))

    def text(self) -> str:
        return "".join(path.read_text() for path in (self.settings.directory / "log").glob("*.log"))


def settings_of(chain: Chain, k: int) -> Settings:
    directory = chain.nodes[k].directory
    return read_settings(directory / "config.ini", directory / "config.genesis")


async def until(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, what
        await asyncio.sleep(0.02)


def play(*sides: Side, scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        try:
            for side in sides:
                await side.peers.listen()
                side.peers.start()
            await scenario()
        finally:
            for side in sides:
                await side.peers.stop()
                side.log.close()

    asyncio.run(main())


def test_all_pairs_get_one_link_and_frames_go_both_ways(chain: Chain) -> None:
    sides = [Side(settings_of(chain, k)) for k in range(3)]

    async def scenario() -> None:
        await until(lambda: all(len(side.peers.connected) == 2 for side in sides), "all connected")
        # One link a pair: after duplicates were closed both ends agree which one is left. What goes over one that is closed may be lost.
        await until(lambda: all(len(side.peers._links) == 2 for side in sides), "duplicates are closed")
        sides[0].peers.broadcast(Module.PBFT, b"to all")
        sides[1].peers.send(sides[0].key.node_id, Module.BLOCK_SYNC, b"x" * 3_000_000)
        await until(lambda: sides[1].frames and sides[2].frames and sides[0].frames, "frames arrive")
        assert sides[2].frames == [(sides[0].key.node_id, Module.PBFT, b"to all")]
        assert sides[0].frames == [(sides[1].key.node_id, Module.BLOCK_SYNC, b"x" * 3_000_000)]
        link = sides[0].peers.connected[sides[1].key.node_id]
        assert link.p2p_id == (chain.nodes[1].directory / "conf" / "ssl.nodeid").read_text().strip()

    play(*sides, scenario=scenario)


def test_a_lost_peer_is_told_and_comes_back(chain: Chain) -> None:
    one, other = Side(settings_of(chain, 0)), Side(settings_of(chain, 1))

    async def scenario() -> None:
        await until(lambda: len(one.peers.connected) == 1, "connected")
        await other.peers.stop()
        await until(lambda: one.lost == [other.key.node_id], "the loss is told")
        again = Side(settings_of(chain, 1))
        await again.peers.listen()
        again.peers.start()
        try:
            await until(lambda: len(one.peers.connected) == 1, "reconnected")
        finally:
            await again.peers.stop()
            again.log.close()

    play(one, other, scenario=scenario)


def test_another_genesis_block_is_refused_and_logged(chain: Chain) -> None:
    one, other = Side(settings_of(chain, 0)), Side(settings_of(chain, 1), genesis_hash=b"h" * 32)

    async def scenario() -> None:
        await until(lambda: "another genesis block" in one.text() and "another genesis block" in other.text(), "both log why")
        assert not one.peers.connected
        assert not other.peers.connected

    play(one, other, scenario=scenario)


def test_a_certificate_of_another_authority_is_refused_and_logged(chain: Chain, tmp_path: Path) -> None:
    stranger = make_chain(tmp_path / "other", 1)
    conf = stranger.nodes[0].directory / "conf"
    settings = replace(settings_of(chain, 1), ca_cert=conf / "ca.crt", node_cert=conf / "ssl.crt", node_key=conf / "ssl.key")
    one, other = Side(settings_of(chain, 2)), Side(settings)

    async def scenario() -> None:
        await until(lambda: "TLS handshake refused" in one.text() or "connecting failed" in one.text(), "the refusal is logged")
        assert "certificate verify failed" in one.text() + other.text()
        assert not one.peers.connected

    play(one, other, scenario=scenario)


def test_a_blacklisted_certificate_is_cut_off_and_let_in_again(chain: Chain) -> None:
    one, other = Side(settings_of(chain, 0)), Side(settings_of(chain, 1))

    async def scenario() -> None:
        await until(lambda: len(one.peers.connected) == 1, "connected")
        one.peers.set_certificates(frozenset({other_id}), frozenset())
        await until(lambda: one.lost == [other.key.node_id], "cut off")
        await until(lambda: "certificate_blacklist" in one.text(), "said why")
        one.peers.set_certificates(frozenset(), frozenset())
        await until(lambda: len(one.peers.connected) == 1, "let in again")

    other_id = p2p_id_of(certificate_of(other.settings.node_cert))
    play(one, other, scenario=scenario)


class Raw:
    """A client with a valid certificate and no manners."""

    def __init__(self, settings: Settings, target: Settings) -> None:
        self.context = tls_contexts(settings)[1]
        self.port = target.p2p.port

    async def closed_after(self, data: bytes) -> bool:
        """Connect, send, and say whether the other side closes within 8 s."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context, server_hostname="")
        try:
            writer.write(data)
            await writer.drain()
            async with asyncio.timeout(8):
                while await reader.read(65536):
                    pass
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False
        finally:
            writer.transport.abort()
        return True


HOSTILE = [
    pytest.param((2 << 30).to_bytes(4, "big") + b"\0\1" + b"x" * 100, "2147483648", id="a length of 2 GiB"),
    pytest.param(os.urandom(4096), "", id="random bytes"),
    pytest.param(encode_frame(Module.PBFT, b"vote"), "before the greeting", id="a vote before the greeting"),
    pytest.param(encode_frame(Module.LINK, b"\xff\xff\xff"), "cannot be read", id="a greeting that is none"),
    pytest.param(encode_frame(Module.LINK, node_pb2.Hello(groupID="group9").SerializeToString()), "group9", id="another group"),
]


@pytest.mark.parametrize(("data", "said"), HOSTILE)
def test_hostile_bytes_close_the_link_and_nothing_else(chain: Chain, data: bytes, said: str) -> None:
    one = Side(settings_of(chain, 0))
    friend = Side(settings_of(chain, 1))

    async def scenario() -> None:
        await until(lambda: len(one.peers.connected) == 1, "a friend is connected")
        assert await Raw(settings_of(chain, 2), one.settings).closed_after(data)
        await until(lambda: "peer refused" in one.text() and said in one.text(), "logged")
        one.peers.broadcast(Module.PBFT, b"still here")
        await until(lambda: friend.frames, "the friend is still served")

    play(one, friend, scenario=scenario)


def test_a_replayed_greeting_proves_nothing(chain: Chain) -> None:
    """Somebody with a certificate of the chain, but without the node key, repeats what a node once sent."""
    one = Side(settings_of(chain, 0))
    victim = KeyPair.from_pem(settings_of(chain, 1).private_key.read_bytes())
    hello = node_pb2.Hello(nodeID=victim.node_id, groupID="group0", chainID="chain0", genesisHash=b"g" * 32, nonce=b"n" * 32)
    old_proof = node_pb2.HelloProof(signature=victim.sign(b"a hash of long ago, 32 bytes long"[:32]))
    data = encode_frame(Module.LINK, hello.SerializeToString()) + encode_frame(Module.LINK, old_proof.SerializeToString())

    async def scenario() -> None:
        assert await Raw(settings_of(chain, 2), one.settings).closed_after(data)
        await until(lambda: "not signed by the node it names" in one.text(), "said why")
        assert not one.peers.connected

    play(one, scenario=scenario)


def test_a_silent_client_is_closed_and_plain_tcp_too(chain: Chain) -> None:
    one = Side(settings_of(chain, 0))

    async def scenario() -> None:
        began_s = time.monotonic()
        tls, plain = await asyncio.gather(Raw(settings_of(chain, 2), one.settings).closed_after(b""), _plain(one.settings.p2p.port))
        assert tls
        assert plain
        assert time.monotonic() - began_s < 24

    play(one, scenario=scenario)


async def _plain(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(8):
            return not await reader.read()
    except (TimeoutError, ConnectionError) as problem:
        return isinstance(problem, ConnectionError)
    finally:
        writer.transport.abort()
