"""The faster `_replace` is the old one in all that can be seen, and a vote finds its place."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from fiscotool.pbft.counting import place_of, with_prepares
from fiscotool.pbft.messages import Prepare
from fiscotool.pbft.quick import one_field, quickened
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
