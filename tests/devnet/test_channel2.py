"""The channel port's sessions without sockets: what an SDK may say, in any order and shape, and what it gets for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fiscotool.devnet import channel2
from fiscotool.devnet.channel2 import ChannelServer
from fiscotool.devnet.contracts import ExecutedBlock
from fiscotool.devnet.form2 import FORM2
from fiscotool.devnet.log import NodeLog
from fiscotool.devnet.rpc2 import Rpc2
from fiscotool.rpc.channel.frames import NO_SEQ, Frame, FrameReader, Kind, encode_frame, new_seq
from fiscotool.rpc.channel.words import read_block_notice, read_handshake, read_tx_notice, subscription
from tests.devnet.rpc2_world import World2, identity2, recorded


class Transport:
    """What a session writes to."""

    def __init__(self, *, unread_bytes: int = 0) -> None:
        self.frames: list[Frame] = []
        self.is_closed = False
        self.unread_bytes = unread_bytes
        self._reader = FrameReader()

    def write(self, data: bytes) -> None:
        self.frames += self._reader.feed(data)

    def get_write_buffer_size(self) -> int:
        return self.unread_bytes

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close


class Desk:
    """A server, and sessions on transports of our own."""

    def __init__(self, directory: Path) -> None:
        self.world = World2(1)
        self.log = NodeLog(directory, is_enabled=False)
        self.server = ChannelServer(Rpc2(self.world, identity2(self.world)), self.log, group="1", node_version="2.9.1")

    def connect(self, *, protocol: int = 3, **transport: Any) -> tuple[Any, Transport]:
        session, line = channel2._Session(self.server), Transport(**transport)
        session.connection_made(line)  # type: ignore[arg-type]
        if protocol > 1:
            hello = {"minimumSupport": 1, "maximumSupport": protocol, "clientType": "test"}
            say(session, Kind.HANDSHAKE, json.dumps(hello).encode())
            assert read_handshake(line.frames.pop().data).protocol == protocol
        return session, line

    async def committed(self) -> None:
        """Recorded block 2 comes."""
        self.world.commit_recorded(2)
        header, ledger = self.world.ledger.header(2), self.world.ledger
        txs = tuple(FORM2.pooled(raw) for raw in ledger.block_txs(2))
        self.server.on_block(ExecutedBlock(2, b"", ledger.head_hash, header, txs, (), None, is_system=False))


def say(session: Any, kind: int, data: bytes) -> str:
    seq = new_seq()
    session.data_received(encode_frame(Frame(kind, seq, data)))
    return seq


def request(method: str, *params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)}).encode()


def recorded_tx() -> str:
    """The transaction of recorded block 2, as it was sent."""
    row = next(row for row in recorded("rpc", "bad_input.bad.jsonl.xz") if row["label"] == "tx: ok, call to empty address")
    return str(json.loads(row["request"])["params"][1])


def play(directory: Path, scenario: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        desk = Desk(directory)
        await scenario(desk)
        desk.log.close()

    asyncio.run(main())


async def turn() -> None:
    """Let what is due happen."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("protocol", [1, 2, 3])
def test_a_receipt_is_pushed_to_who_sent_the_transaction_and_blocks_to_who_asked(tmp_path: Path, protocol: int) -> None:
    async def scenario(desk: Desk) -> None:
        sender, line = desk.connect(protocol=protocol)
        _, silent = desk.connect()
        say(sender, Kind.SUBSCRIBE, subscription(["1"]))
        seq = say(sender, Kind.RPC, request("sendRawTransaction", 1, recorded_tx()))
        await turn()
        answer = json.loads(line.frames.pop(0).data)
        await desk.committed()
        pushed, block = line.frames
        assert (pushed.kind, pushed.seq, block.kind, block.seq) == (Kind.TX_NOTIFY, seq, Kind.BLOCK_NOTIFY, NO_SEQ)
        notice = read_tx_notice(pushed.data)
        assert (notice.tx_hash, notice.status, notice.block_number) == (answer["result"], 26, 2)
        assert notice.told == recorded("blocks_full_node0.jsonl.xz")[2]["receipts"][0]["result"]
        told = read_block_notice(block.data)
        assert (told.group, told.number) == ("1", 2)
        assert silent.frames == []

    play(tmp_path, scenario)


@pytest.mark.parametrize(("protocol", "is_pushed"), [(2, False), (3, True)])
def test_a_refusal_is_an_error_before_protocol_3_and_a_receipt_from_it_on(tmp_path: Path, protocol: int, *, is_pushed: bool) -> None:
    async def scenario(desk: Desk) -> None:
        session, line = desk.connect(protocol=protocol)
        say(session, Kind.RPC, request("sendRawTransaction", 1, recorded_tx()))
        await turn()
        line.frames.clear()
        seq = say(session, Kind.RPC, request("sendRawTransaction", 1, recorded_tx()))
        await turn()
        answer = json.loads(line.frames[0].data)
        assert ("result" in answer) is is_pushed
        if is_pushed:
            notice = read_tx_notice(line.frames[1].data)
            assert (line.frames[1].seq, notice.status, notice.refusal != "") == (seq, 10000, True)
        else:
            assert "TransactionAlreadyKown" in answer["error"]["message"]
            assert len(line.frames) == 1

    play(tmp_path, scenario)


def test_heartbeats_are_answered_in_the_sessions_own_words(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        old, old_line = desk.connect(protocol=1)
        new, new_line = desk.connect(protocol=3)
        say(old, Kind.HEARTBEAT, b"0")
        say(new, Kind.HEARTBEAT, b'{"heartBeat":0}')
        say(new, Kind.HEARTBEAT, b'{"heartBeat":1}')
        assert [frame.data for frame in old_line.frames] == [b"1"]
        assert [json.loads(frame.data) for frame in new_line.frames] == [{"heartBeat": 1}]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(40), id="http"),
        pytest.param(encode_frame(Frame(Kind.HANDSHAKE, new_seq(), b"junk")), id="a handshake that is no JSON"),
        pytest.param(encode_frame(Frame(Kind.HANDSHAKE, new_seq(), b'{"minimumSupport":9,"maximumSupport":9}')), id="from the future"),
        pytest.param(b"\x00\x80\x00\x00" + bytes(9 << 20), id="half a frame of 8 MiB and more"),
    ],
)
def test_who_does_not_speak_it_is_shown_out(tmp_path: Path, data: bytes) -> None:
    async def scenario(desk: Desk) -> None:
        session, line = desk.connect(protocol=1)
        session.data_received(data)
        assert line.is_closed

    play(tmp_path, scenario)


def test_who_does_not_read_is_shown_out(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        session, line = desk.connect(protocol=1, unread_bytes=17 << 20)
        say(session, Kind.RPC, request("getBlockNumber", 1))
        assert line.is_closed

    play(tmp_path, scenario)


def test_a_session_that_is_gone_is_told_nothing(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        session, line = desk.connect()
        say(session, Kind.SUBSCRIBE, subscription(["1"]))
        say(session, Kind.RPC, request("sendRawTransaction", 1, recorded_tx()))
        await turn()
        line.frames.clear()
        session.connection_lost(None)
        await desk.committed()
        assert line.frames == []
        assert not desk.server.sessions

    play(tmp_path, scenario)


def test_amop_and_events_are_declined(tmp_path: Path) -> None:
    async def scenario(desk: Desk) -> None:
        session, line = desk.connect()
        say(session, Kind.AMOP_REQUEST, b"\x02xhello")
        say(session, Kind.EVENT_REGISTER, b"{}")
        assert [(frame.kind, frame.result) for frame in line.frames] == [(Kind.AMOP_RESPONSE, 100), (Kind.EVENT_REGISTER, 0)]
        assert b'"result":1' in line.frames[1].data

    play(tmp_path, scenario)


@settings(max_examples=40, deadline=None)
@given(frames=st.lists(st.tuples(st.sampled_from([*Kind, 0x37, 0x99]), st.binary(max_size=80) | st.just(request("getPeers", 1)))))
def test_no_frame_makes_it_raise(frames: list[tuple[int, bytes]]) -> None:
    async def scenario(desk: Desk) -> None:
        session, _ = desk.connect(protocol=1)
        for kind, data in frames:
            say(session, kind, data)
        await turn()

    play(Path("unused"), scenario)
