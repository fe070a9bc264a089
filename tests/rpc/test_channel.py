"""The channel client against a real TLS server that speaks the protocol, badly too (spec 2.x 2.4)."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiscotool.errors import MalformedAnswer, OutcomeUnknown, Refused, RpcError, Unreachable, UsageError
from fiscotool.rpc.channel.client import ChannelClient
from fiscotool.rpc.channel.link import Pace
from fiscotool.rpc.channel.words import BlockNotice
from fiscotool.rpc.client2 import NodeClient2
from fiscotool.rpc.tls import TlsFiles
from tests.rpc import channel_server as fake
from tests.rpc.channel_server import ChannelServer
from tests.support.ports import free_ports
from tests.support.until import until

BRISK = Pace(connect_s=1.5, heartbeat_s=0.1, silent_s=0.6)


class Heard:
    """What a client is told."""

    def __init__(self) -> None:
        self.blocks: list[BlockNotice] = []
        self.states: list[str] = []

    @property
    def numbers(self) -> list[int]:
        """Heights told."""
        return [notice.number for notice in self.blocks]


def client_of(server: ChannelServer, sdk: Path, heard: Heard | None = None, **given: Any) -> ChannelClient:
    """A client; subscribed when somebody listens."""
    if heard is not None:
        given |= {"on_block": heard.blocks.append, "on_state": heard.states.append}
    return ChannelClient(server.address, TlsFiles.from_sdk(sdk), **{"name": "node0", "pace": BRISK, "pause_max_s": 0.3, **given})


@pytest.mark.parametrize("protocol", [1, 2, 3])
def test_new_blocks_are_pushed(sdk: Path, protocol: int) -> None:
    heard = Heard()
    with ChannelServer(sdk, protocol=protocol) as server, client_of(server, sdk, heard) as client:
        until(lambda: heard.numbers == [7], within_s=5)
        assert server.subscribed.wait(5)
        server.push(fake.block_notice(1, 8, protocol) + fake.block_notice(1, 9, protocol))
        until(lambda: heard.numbers == [7, 8, 9], within_s=5)
        assert heard.states == ["connected"]
        assert client.problem_count == 0
        subscribed = next(data for kind, data in server.heard if kind == fake.SUBSCRIBE)
        assert json.loads(subscribed) == ["_block_notify_1"]


def test_a_chain_with_secp256k1_certificates(old_sdk: Path) -> None:
    heard = Heard()
    with ChannelServer(old_sdk, curve="secp256k1") as server, client_of(server, old_sdk, heard):
        until(lambda: heard.numbers == [7], within_s=5)


def test_typed_calls_go_over_the_channel(sdk: Path) -> None:
    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        with NodeClient2(f"channel://{server.address}", transport=channel, name="node0") as node:
            assert node.block_number() == 7
            assert node.block_number() == 7
        assert fake.SUBSCRIBE not in server.kinds()


def test_calls_of_many_threads_get_their_own_answers(sdk: Path) -> None:
    def behave(kind: int, seq: bytes, data: bytes, connection: ssl.SSLSocket) -> bool:
        if kind != fake.RPC:
            return False
        asked = json.loads(data)
        told = json.dumps({"id": asked["id"], "jsonrpc": "2.0", "result": asked["params"][1]}).encode()
        held.append(fake.frame(fake.RPC, seq, told))
        if len(held) == 8:
            connection.sendall(b"".join(reversed(held)))
        return True

    held: list[bytes] = []
    answers: dict[str, Any] = {}
    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        server.take = behave
        node = NodeClient2("channel://x", transport=channel)
        threads = [threading.Thread(target=lambda key=str(number): answers.update({key: node.config_value(key)})) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert answers == {str(number): str(number) for number in range(8)}


def test_a_receipt_is_pushed_to_who_sent_the_transaction(sdk: Path) -> None:
    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        notice = channel.send("1", "f800", tx_hash=fake.TX_HASH, within_s=5)
        assert (notice.tx_hash, notice.status, notice.block_number, notice.refusal) == (fake.TX_HASH, 0, 8, "")
        server.receipt = {"transactionHash": fake.TX_HASH, "status": "0x1c", "blockNumber": "", "blockHash": ""}
        assert channel.send("1", "f800", within_s=5).refusal == "TxPoolIsFull"


def test_a_transaction_without_a_receipt_is_unknown(sdk: Path) -> None:
    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        server.receipt = None
        with pytest.raises(OutcomeUnknown, match=r"no receipt came within 0\.4 s; it may be committed") as caught:
            channel.send("1", "f800", tx_hash=fake.TX_HASH, within_s=0.4)
        assert caught.value.tx_hash == fake.TX_HASH
        timer = threading.Timer(0.2, server.drop)
        timer.start()
        with pytest.raises(OutcomeUnknown, match="the channel ended before its receipt came"):
            channel.send("1", "f800", tx_hash=fake.TX_HASH, within_s=5)
        timer.join()


def test_a_refusal_of_the_call_is_a_refusal(sdk: Path) -> None:
    def behave(kind: int, seq: bytes, data: bytes, connection: ssl.SSLSocket) -> bool:
        if kind != fake.RPC:
            return False
        answer = {
            "error": {"code": -40012, "message": "getBlockNumber The SDK is not allowed to access this group"},
            "id": 1,
            "jsonrpc": "2.0",
        }
        connection.sendall(fake.frame(fake.RPC, seq, json.dumps(answer).encode(), results.pop()))
        return True

    results = [0, 102]
    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        server.take = behave
        node = NodeClient2("channel://x", transport=channel, name="node0")
        with pytest.raises(Refused, match="with result 102: time ran out"):
            node.block_number()
        with pytest.raises(Refused, match="not allowed") as caught:
            node.block_number()
        assert caught.value.code == -40012
        assert "sdk_allowlist" in caught.value.hint


# Connections that end


def test_a_restarted_node_is_followed_again_and_the_blocks_missed_show(sdk: Path) -> None:
    heard = Heard()
    with ChannelServer(sdk) as first:
        client = client_of(first, sdk, heard)
        until(lambda: heard.numbers == [7], within_s=5)
    until(lambda: len(heard.states) > 1, within_s=5)
    assert heard.states[1].startswith("not connected: ")
    with client, ChannelServer(sdk, port=first.port) as second:
        second.height = 12
        until(lambda: 12 in heard.numbers, within_s=5)
        second.push(fake.block_notice(1, 13))
        until(lambda: heard.numbers[-1] == 13, within_s=5)
        assert heard.states[0] == heard.states[-1] == "connected"
        assert any("ended the connection" in state for state in heard.states), heard.states


def test_a_silent_node_is_noticed_and_connected_again(sdk: Path) -> None:
    heard = Heard()
    with ChannelServer(sdk) as server, client_of(server, sdk, heard):
        until(lambda: heard.states == ["connected"], within_s=5)
        server.answer_heartbeats = False
        until(lambda: len(heard.states) >= 2, within_s=5)
        assert "said nothing for 0.6 s" in heard.states[1]
        server.answer_heartbeats = True
        until(lambda: heard.states.count("connected") >= 2, within_s=5)


def test_heartbeats_keep_an_idle_connection(sdk: Path) -> None:
    heard = Heard()
    with ChannelServer(sdk) as server, client_of(server, sdk, heard):
        until(lambda: server.kinds().count(fake.HEARTBEAT) >= 12, within_s=10)
        assert heard.states == ["connected"]


def test_a_heartbeat_of_the_node_is_answered(sdk: Path) -> None:
    with ChannelServer(sdk) as server, client_of(server, sdk, Heard(), pace=Pace(heartbeat_s=60, silent_s=60)):
        assert server.subscribed.wait(5)
        server.push(fake.frame(fake.HEARTBEAT, b"a" * 32, b'{"heartBeat":0}'))
        until(lambda: (fake.HEARTBEAT, b'{"heartBeat":1}') in server.heard, within_s=5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot be", id="another protocol"),
        pytest.param(fake.block_notice(1, 8)[:20], "within a frame, 20 bytes into it", id="half a frame"),
        pytest.param(fake.block_notice(1, 8)[:50], "within a frame, 50 bytes into it", id="a frame without its end"),
    ],
)
def test_broken_streams_are_said_and_survived(sdk: Path, data: bytes, words: str) -> None:
    heard = Heard()
    with ChannelServer(sdk) as server, client_of(server, sdk, heard):
        until(lambda: heard.states == ["connected"], within_s=5)
        server.push(data)
        server.drop()
        until(lambda: heard.states.count("connected") >= 2, within_s=5)
        assert any(words in state for state in heard.states), heard.states


def test_notices_that_cannot_be_read_and_unknown_frames_are_counted(sdk: Path) -> None:
    heard = Heard()
    with ChannelServer(sdk) as server, client_of(server, sdk, heard) as client:
        assert server.subscribed.wait(5)
        bad = fake.frame(fake.BLOCK_NOTIFY, b"0" * 32, b"\x05news{}") + fake.frame(fake.TX_NOTIFY, b"b" * 32, b"[]")
        server.push(bad + fake.frame(0x4711, b"c" * 32, b"?") + fake.frame(fake.RPC, b"d" * 32, b"nobody asked") + fake.block_notice(1, 8))
        until(lambda: 8 in heard.numbers, within_s=5)
        assert client.problem_count == 2


# What is not the channel of this chain


def refusing(server: ChannelServer, sdk: Path, **given: Any) -> RpcError:
    """What a call raises."""
    with client_of(server, sdk, **given) as channel, pytest.raises(RpcError) as caught:
        NodeClient2("channel://x", transport=channel, name="node0", timeout_s=3).block_number()
    return caught.value


def test_nobody_listens(sdk: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        ChannelClient(address, TlsFiles.from_sdk(sdk), name="node0") as channel,
        pytest.raises(Unreachable, match="node0 cannot be reached"),
    ):
        NodeClient2("channel://x", transport=channel).block_number()


def test_certificates_of_another_chain(sdk: Path, other_sdk: Path) -> None:
    with ChannelServer(sdk) as server:
        problem = refusing(server, other_sdk)
        assert isinstance(problem, Unreachable)
        assert "TLS" in problem.message
        assert "this chain's CA" in problem.hint
        mixed = TlsFiles(sdk / "ca.crt", other_sdk / "sdk.crt", other_sdk / "sdk.key")
        with ChannelClient(server.address, mixed, name="node0", pace=BRISK) as channel, pytest.raises(Unreachable):
            NodeClient2("channel://x", transport=channel).block_number()


def test_certificates_of_another_agency_of_the_chain(sdk: Path) -> None:
    """TLS succeeds, then the node compares issuers and hangs up (check_cert_issuer)."""

    def hang_up(_kind: int, _seq: bytes, _data: bytes, connection: ssl.SSLSocket) -> bool:
        connection.shutdown(socket.SHUT_RDWR)
        return True

    with ChannelServer(sdk) as server:
        server.take = hang_up
        problem = refusing(server, sdk)
    assert isinstance(problem, Unreachable)
    assert "closed the channel after the TLS handshake" in problem.message
    assert "own agency" in problem.hint


def answering(data: bytes) -> Callable[[int, bytes, bytes, ssl.SSLSocket], bool]:
    """Answers the first frame with these bytes."""

    def behave(_kind: int, seq: bytes, _data: bytes, connection: ssl.SSLSocket) -> bool:
        connection.sendall(data.replace(b"S" * 32, seq))
        return True

    return behave


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", MalformedAnswer, "not the channel protocol", id="HTTP over TLS (3.x)"
        ),
        pytest.param(fake.frame(fake.HANDSHAKE, b"S" * 32, b"[]"), MalformedAnswer, "answered the channel's handshake", id="odd handshake"),
        pytest.param(fake.frame(fake.HANDSHAKE, b"S" * 32, b'{"protocol":9}'), MalformedAnswer, "protocol 9", id="unoffered protocol"),
        pytest.param(fake.frame(fake.HANDSHAKE, b"x" * 32, b'{"protocol":3}'), Unreachable, "did not answer the handshake", id="wrong seq"),
        pytest.param(b"", Unreachable, "did not answer the handshake", id="silence"),
    ],
)
def test_servers_that_do_not_shake_hands(sdk: Path, data: bytes, kind: type[RpcError], words: str) -> None:
    with ChannelServer(sdk) as server:
        server.take = answering(data)
        problem = refusing(server, sdk, pace=Pace(connect_s=0.6))
    assert type(problem) is kind
    assert words in problem.message
    assert problem.hint


def test_a_plain_port_is_explained(sdk: Path) -> None:
    from tests.rpc import fake_server

    with fake_server.serving(lambda _b, _c: None) as server:

        def plain(connection: socket.socket) -> None:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server.serve = plain  # type: ignore[method-assign]
        address = server.url.removeprefix("http://")
        with ChannelClient(address, TlsFiles.from_sdk(sdk), name="node0") as channel, pytest.raises(Unreachable) as caught:
            NodeClient2("channel://x", transport=channel).block_number()
    assert "20200" in caught.value.hint


def test_a_call_that_is_not_answered_ends(sdk: Path) -> None:
    def ignore(kind: int, *_: Any) -> bool:
        return kind == fake.RPC

    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        server.take = ignore
        began_s = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"did not answer over the channel within 0\.4 s"):
            NodeClient2("channel://x", transport=channel, timeout_s=0.4).block_number()
        assert time.monotonic() - began_s < 15


def test_a_read_is_asked_again_over_a_new_connection(sdk: Path) -> None:
    def once(kind: int, _seq: bytes, _data: bytes, connection: ssl.SSLSocket) -> bool:
        if kind != fake.RPC or done:
            return False
        done.append(1)
        connection.shutdown(socket.SHUT_RDWR)
        return True

    done: list[int] = []
    with ChannelServer(sdk) as server, client_of(server, sdk) as channel:
        server.take = once
        node = NodeClient2("channel://x", transport=channel)
        assert node.block_number() == 7
        done.clear()
        with pytest.raises(OutcomeUnknown):
            node.submit("0xf800", tx_hash=fake.TX_HASH)
        assert server.kinds().count(fake.RPC) == 3


def test_a_closed_client_says_so(sdk: Path) -> None:
    with ChannelServer(sdk) as server:
        channel = client_of(server, sdk)
        channel.close()
        channel.close()
        with pytest.raises(UsageError, match="closed by this program"):
            NodeClient2("channel://x", transport=channel).block_number()
    for address in ("127.0.0.1", "127.0.0.1:", ":1", "x:y"):
        with pytest.raises(UsageError, match="not the address of a channel port"):
            ChannelClient(address, TlsFiles.from_sdk(sdk))
