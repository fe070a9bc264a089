"""The codec of events, effects and records: nothing is lost, and garbage is said to be garbage."""

from __future__ import annotations

import json
import random
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from fiscotool.pbft.codec import LONG_BYTES, Encoder
from fiscotool.pbft.codec_back import CodecError, Decoder
from fiscotool.pbft.codec_life import FORMAT_VERSION, Birth, LifeDecoder, LifeEncoder, Record, Refused, abridged
from fiscotool.pbft.effects import Broadcast, Effect, Reject, RejectReason
from fiscotool.pbft.events import Event, Received, TimerFired, TimerName
from fiscotool.pbft.messages import Message, Prepare
from fiscotool.pbft.types import Digest, Height, NodeIndex, View

VOTE = Prepare(View(3), Height(7), Digest(b"\xab" * 32), NodeIndex(2), b"\xcd" * 65)


hints_of = cache(get_type_hints)


def drawn(hint: Any, rng: random.Random, depth: int = 0) -> Any:
    """Any value of a type, made from its hints alone, by another hand than the codec's."""
    hint = getattr(hint, "__supertype__", hint)
    if hint is int:
        return rng.choice([0, 1, -1, 2**63 - 1, -(2**63), rng.randrange(1000)])
    if hint is bytes:
        return rng.randbytes(rng.choice([0, 1, 32, LONG_BYTES, LONG_BYTES + 1, LONG_BYTES + 30])) if rng.random() < 0.8 else b"\0" * 99
    if hint in {str, bool, type(None)}:
        return {str: 'x\u4e2d"', bool: rng.random() < 0.5, type(None): None}[hint]
    inner = get_args(hint)
    if get_origin(hint) in {Union, UnionType}:
        return drawn(rng.choice(inner), rng, depth)
    if get_origin(hint) in {tuple, frozenset}:
        many = (
            [inner[0]] * rng.randrange(3 if depth < 2 else 2 if depth < 4 else 1)
            if inner[-1] is Ellipsis or get_origin(hint) is frozenset
            else inner
        )
        return get_origin(hint)(drawn(each, rng, depth + 1) for each in many)
    if issubclass(hint, Enum):
        return rng.choice(list(hint))
    hints = hints_of(hint)
    return hint(**{each.name: drawn(hints[each.name], rng, depth + 1) for each in fields(hint) if each.init})


@pytest.mark.parametrize("is_shared", [True, False])
def test_what_is_encoded_is_decoded_the_same(is_shared: bool) -> None:
    hint = Event | Effect | Message
    rng = random.Random(7)
    encode, decode = Encoder(hint, is_shared=is_shared), Decoder(hint)
    seen = set()
    for _ in range(400):
        value = drawn(hint, rng)
        seen.add(type(value))
        again = decode(json.loads(json.dumps(encode(value))))
        assert again == value
        assert _all(again) == _all(value), "also what is not compared"
    assert seen == {cls for union in (Event, Effect, Message) for cls in get_args(union)}


def _all(value: Any) -> Any:
    """Every field, also those that equality leaves out."""
    if is_dataclass(value):
        return type(value), [_all(getattr(value, each.name)) for each in fields(value)]
    return [_all(each) for each in value] if isinstance(value, tuple) else value


def test_records_of_a_life_come_back() -> None:
    rng = random.Random(8)
    encode, decode = LifeEncoder(), LifeDecoder()
    for _ in range(200):
        record = drawn(Record, rng)
        if isinstance(record, Birth):
            record = replace(record, version=FORMAT_VERSION)
        assert decode(json.loads(json.dumps(encode(record)))) == record


def test_every_class_of_the_words_has_its_place() -> None:
    encode = Encoder(Event | Effect | Message)
    for union in (Event, Effect, Message):
        for cls in get_args(union):
            assert cls in encode.classes


def test_long_bytes_are_written_once() -> None:
    encode, decode = Encoder(Event), Decoder(Event)
    long = Received(Prepare(View(0), Height(1), Digest(b"\x01" * 32), NodeIndex(0), bytes(LONG_BYTES + 1)))
    first, second = encode(long), encode(long)
    assert second[1][-1] == "#0"
    assert decode(first) == decode(second) == long
    with pytest.raises(CodecError, match="#0 was not written before"):
        Decoder(Event)(second)


def spoilt(plain: Any, rng: random.Random) -> Any:
    """A JSON value with something else somewhere in it."""
    if isinstance(plain, list) and plain and rng.random() < 0.9:
        place = rng.randrange(len(plain))
        return [*plain[:place], spoilt(plain[place], rng), *plain[place + 1 :]]
    return rng.choice([None, True, -1, 1.5, "", "zz", "#", "#9", "#1:zz", [], ["Step"], {"a": 1}, [plain], "Prepare"])


def test_garbage_is_said_to_be_garbage() -> None:
    rng = random.Random(9)
    refused = 0
    for _ in range(200):
        plain = spoilt(LifeEncoder()(drawn(Record, rng)), rng)
        try:
            LifeDecoder()(plain)
        except CodecError as problem:
            refused += bool(str(problem))
    assert refused > 130


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (["Received", ["Prepare", 3, 7, "zz", 2, ""]], "hex digits"),
        (["Received", ["Prepare", True, 7, "", 2, ""]], "a whole number"),
        (["Received", ["Prepare", 3, 7, ""]], "Prepare of 5 fields"),
        (["Received", ["Sleep"]], "one of PrePrepare"),
        (["TimerFired", "LUNCH", 1], "a TimerName"),
        (["Verified", 1, "", 1], "true or false"),
        ("Started", "one of Started"),
    ],
)
def test_what_is_wrong_is_named(plain: Any, said: str) -> None:
    with pytest.raises(CodecError, match=said):
        Decoder(Event)(plain)


def test_a_trace_of_another_format_is_refused() -> None:
    with pytest.raises(CodecError, match="format 99"):
        LifeDecoder()(["Birth", 99])


def test_a_message_refused_as_it_came_is_not_written_twice() -> None:
    event, other = Received(VOTE), Prepare(View(3), Height(8), Digest(b""), NodeIndex(1))
    effects: tuple[Effect, ...] = (Reject(VOTE, RejectReason.DUPLICATE), Reject(other, RejectReason.TOO_FAR), Broadcast(other))
    assert abridged(event, effects) == (Refused(RejectReason.DUPLICATE), effects[1], effects[2])
    assert abridged(TimerFired(TimerName.VIEW, 1), effects) is effects
