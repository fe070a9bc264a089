"""The faster `_replace` is the old one in all that can be seen, and a vote finds its place."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from typing import NamedTuple

import pytest

from fiscotool.pbft.counting import place_of, with_prepares
from fiscotool.pbft.messages import Prepare
from fiscotool.pbft.quick import maker, one_field, quickened, two_fields
from fiscotool.pbft.state import Slot
from fiscotool.pbft.types import Digest, Height, NodeIndex, View


class Plain(NamedTuple):
    """As Python makes it."""

    one: int = 1
    two: str = "b"
    three: tuple[int, ...] = ()


@quickened
class Quick(NamedTuple):
    """The same, quickened."""

    one: int = 1
    two: str = "b"
    three: tuple[int, ...] = ()


@pytest.mark.parametrize("changes", [{}, {"one": 5}, {"three": (1,), "two": "c"}], ids=str)
def test_a_quick_replace_gives_what_the_plain_one_gives(changes: dict[str, object]) -> None:
    plain, quick = Plain()._replace(**changes), Quick()._replace(**changes)  # type: ignore[arg-type]
    assert type(quick) is Quick
    assert tuple(quick) == tuple(plain)
    assert repr(quick) == repr(plain).replace("Plain", "Quick")


def test_an_unknown_field_is_refused_alike() -> None:
    for value in (Plain(), Quick()):
        with pytest.raises(ValueError, match="unexpected field names"):
            value._replace(four=4)  # type: ignore[call-arg]


def test_the_original_is_left_alone() -> None:
    value = Quick()
    change = one_field(Quick, "two")
    assert change(value, "z") == value._replace(two="z")
    assert value == Quick()


def test_a_vote_goes_where_its_sender_belongs() -> None:
    votes = tuple(Prepare(View(0), Height(1), Digest(b"d"), NodeIndex(sender)) for sender in (1, 3, 4))
    assert [place_of(votes, NodeIndex(sender)) for sender in range(6)] == [0, 0, 1, 1, 2, 3]
    assert place_of((), NodeIndex(0)) == 0
    assert with_prepares(Slot(Height(1)), votes) == Slot(Height(1))._replace(prepares=votes)


def test_two_fields_at_once() -> None:
    change = two_fields(Quick, "three", "one")
    assert change(Quick(), (7,), 2) == Quick()._replace(three=(7,), one=2)


MADE = {
    "plain": ((View(1), Height(2), Digest(b"d"), NodeIndex(3), b"s"), {}),
    "default": ((View(1), Height(2), Digest(b"d")), {"sender": NodeIndex(3)}),
}


@pytest.mark.parametrize("case", MADE)
def test_what_is_made_faster_is_the_same(case: str) -> None:
    arguments, named = MADE[case]
    made, usual = maker(Prepare)(*arguments, **named), Prepare(*arguments, **named)  # type: ignore[arg-type]
    assert type(made) is Prepare
    assert made == usual
    assert hash(made) == hash(usual)
    assert repr(made) == repr(usual)
    assert replace(made, view=View(9)) == replace(usual, view=View(9))
    assert pickle.loads(pickle.dumps(made)) == usual  # noqa: S301 (its own)
    with pytest.raises(FrozenInstanceError):
        made.view = View(2)  # type: ignore[misc]


def test_wrong_arguments_are_refused_by_a_maker() -> None:
    with pytest.raises(TypeError):
        maker(Prepare)(View(1))  # type: ignore[call-arg]
