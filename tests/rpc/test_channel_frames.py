"""Frames of the channel protocol as bytes, and what they say (spec 2.x 2.4)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscotool.rpc.channel import words
from fiscotool.rpc.channel.frames import (
    FRAME_BYTES_MAX,
    HEADER_BYTES,
    BadFrame,
    Frame,
    FrameReader,
    Kind,
    encode_frame,
    new_seq,
    split_topic,
    with_topic,
)
from fiscotool.rpc.members import UnexpectedShape
from fiscotool.rpc.status2 import TransactionStatus2, status_name2
from tests.rpc.channel_server import block_notice

FRAMES = st.builds(
    Frame,
    kind=st.integers(0, 0xFFFF),
    seq=st.text(alphabet="0123456789abcdef", min_size=32, max_size=32),
    data=st.binary(max_size=300),
    result=st.integers(-(2**31), 2**31 - 1),
)


def test_a_frame_byte_by_byte() -> None:
    told = encode_frame(Frame(Kind.HEARTBEAT, "0123456789abcdef" * 2, b'{"heartBeat":0}', -1))
    assert told[:4] == (42 + 15).to_bytes(4, "big")
    assert told[4:6] == b"\x00\x13"
    assert told[6:38] == b"0123456789abcdef" * 2
    assert told[38:42] == b"\xff\xff\xff\xff"
    assert told[42:] == b'{"heartBeat":0}'
    assert HEADER_BYTES == 42
    assert len(new_seq()) == 32


@given(frames=st.lists(FRAMES, max_size=6), cuts=st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_frames_survive_however_the_stream_is_cut(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(frame) for frame in frames)
    reader, found, at = FrameReader(), [], 0
    for size in cuts:
        found += reader.feed(stream[at : at + size])
        at += size
    found += reader.feed(stream[at:])
    assert found == frames
    assert reader.held_bytes == 0


@given(frame=FRAMES, missing=st.integers(1, 41))
def test_half_a_frame_is_none(frame: Frame, missing: int) -> None:
    reader = FrameReader()
    told = encode_frame(frame)
    assert reader.feed(told[: len(told) - missing]) == []
    assert reader.held_bytes == len(told) - missing
    assert reader.feed(told[len(told) - missing :]) == [frame]


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x29" + b"\x00" * 60, b"\xff" * 42, b"\x00\x00\x00\x00"]
)
def test_what_cannot_be_a_frame_is_said_at_once(data: bytes) -> None:
    with pytest.raises(BadFrame, match="cannot be"):
        FrameReader().feed(data)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_frames_or_bad_or_wait(data: bytes) -> None:
    reader = FrameReader()
    try:
        reader.feed(data)
    except BadFrame:
        return
    assert reader.held_bytes <= len(data)


def test_what_cannot_be_written() -> None:
    with pytest.raises(BadFrame, match="32 characters"):
        encode_frame(Frame(Kind.RPC, "short", b""))
    with pytest.raises(BadFrame, match="longer than 100 MiB"):
        encode_frame(Frame(Kind.RPC, new_seq(), bytes(FRAME_BYTES_MAX)))
    with pytest.raises(BadFrame, match="longer than 254"):
        with_topic("x" * 255)


def test_topics() -> None:
    assert split_topic(with_topic("_block_notify_1", b"1,12")) == ("_block_notify_1", b"1,12")
    assert split_topic(with_topic("", b"x")) == ("", b"x")
    for bad in (b"", b"\x00abc", b"\x09abc"):
        with pytest.raises(BadFrame, match="no topic"):
            split_topic(bad)


@pytest.mark.parametrize("protocol", [1, 2, 3])
def test_block_notices_of_all_protocols(protocol: int) -> None:
    (frame,) = FrameReader().feed(block_notice(2, 4711, protocol))
    assert frame.seq == "0" * 32
    assert words.read_block_notice(frame.data) == words.BlockNotice("2", 4711)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"1",
        b"1,",
        b",2",
        b"a,b",
        b"1," + b"9" * 5000,
        b"{}",
        b'{"groupID":"1","blockNumber":1}',
        b'{"groupID":1,"blockNumber":-1}',
        b"{",
        b"\xff",
    ],
)
def test_block_notices_that_are_none(payload: bytes) -> None:
    with pytest.raises(UnexpectedShape):
        words.read_block_notice(with_topic("_block_notify_1", payload))
    with pytest.raises(UnexpectedShape, match="topic"):
        words.read_block_notice(with_topic("news", b"1,2"))


def test_the_handshake() -> None:
    assert json.loads(words.handshake_request()) == {"minimumSupport": 1, "maximumSupport": 3, "clientType": "fiscotool"}
    assert words.read_handshake(b'{"protocol":3,"nodeVersion":"2.9.0"}\n') == words.Agreed(3, "2.9.0")
    for bad in (b"", b"[]", b"{}", b'{"protocol":4}', b'{"protocol":"3"}'):
        with pytest.raises(UnexpectedShape):
            words.read_handshake(bad)


def test_heartbeats() -> None:
    assert words.heartbeat(1, is_answer=False) == b"0"
    assert json.loads(words.heartbeat(3, is_answer=True)) == {"heartBeat": 1}
    assert [words.is_heartbeat_question(data) for data in (b"0", b'{"heartBeat":0}\n', b"1", b'{"heartBeat":1}', b"", b"x", b"[]")] == [
        *[True] * 2,
        *[False] * 5,
    ]


def test_subscriptions_name_topics() -> None:
    assert json.loads(words.subscription(["1", "2"])) == ["_block_notify_1", "_block_notify_2"]


def test_transaction_notices() -> None:
    mined = words.read_tx_notice(
        b'{"transactionHash":"0xab","status":"0x16","blockNumber":"0x9","blockHash":"0x01","statusMsg":"RevertInstruction"}'
    )
    assert (mined.status, mined.block_number, mined.refusal) == (22, 9, "")
    refused = words.read_tx_notice(b'{"transactionHash":"0xab","status":16,"blockNumber":"","blockHash":""}')
    assert (refused.status, refused.block_number, refused.refusal) == (16, None, "BlockLimitCheckFail")
    for bad in (b"", b"[]", b"{}", b'{"status":"x"}', b'{"status":null}'):
        with pytest.raises(UnexpectedShape):
            words.read_tx_notice(bad)


def test_status_names_of_2x() -> None:
    assert [status_name2(code) for code in (0, 2, 15, 22, 10000, 4711)] == [
        "None",
        "BadRLP",
        "NonceCheckFail",
        "RevertInstruction",
        "AlreadyKnown",
        "4711",
    ]
    assert len(TransactionStatus2) == 40
