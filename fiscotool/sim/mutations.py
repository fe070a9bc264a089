"""Structure-aware lies: a message of the right form with one field wrong, signed by the one who lies.

Small scope: a field is off by one, or names a neighbour (the previous message, another block of the same height). Any scope: a field gets
any value of its domain. A signature covers what is sent; nobody signs for others, so certificates are real ones or left out.

Source: Winter et al., Randomized Testing of Byzantine Fault Tolerant Algorithms, OOPSLA 2023 (small-scope and any-scope mutations).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fiscotool.pbft.messages import CheckPoint, Commit, Message, NewView, Prepare, PrePrepare, ViewChange
from fiscotool.pbft.types import Digest, Height, View
from fiscotool.sim import chain
from fiscotool.sim.replica import Replica

VIEWS: Final = 64
"""Views that `_any_view` draws from: beyond a pipeline of views, so that those which are too far are drawn, too."""

HEIGHTS_AHEAD: Final = 12
NUMBERED: Final = (PrePrepare, Prepare, Commit, CheckPoint, ViewChange)

Mutation = Callable[[Any, Replica, int, list[Digest]], Message | None]
"""(message, who lies, a drawn number, digests seen) to what is sent instead; None for nothing."""


def _omit(message: Message, replica: Replica, draw: int, seen: list[Digest]) -> None:
    """Say nothing."""
    del message, replica, draw, seen


def _view_off(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """The view before or after."""
    del replica, seen
    changed: Message = replace(message, view=View(max(0, message.view + (1 if draw % 2 else -1))))
    return changed


def _height_off(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """The height before or after."""
    del replica, seen
    changed: Message = replace(message, index=Height(max(0, message.index + (1 if draw % 2 else -1))))
    return changed


def _other_digest(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """Another digest that was seen, or one that nobody has."""
    del replica
    others = [digest for digest in seen if digest != message.digest] or [chain.digest_of(b"nobody has this")]
    changed: Message = replace(message, digest=others[draw % len(others)])
    return changed


def _other_block(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """Another block of the same transactions; the liar votes for it later when `_other_digest` is drawn."""
    twin = chain.make_proposal(message.index, replica.index, chain.transactions_of(message.proposal), salt=f"twin{draw % 2}")
    seen.append(twin.digest)
    changed: Message = replace(message, digest=twin.digest, proposal=twin)
    return changed


def _unsound_block(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """A block whose content is not what its header says."""
    del draw, seen
    wrong = chain.make_proposal(Height(message.index + 1), replica.index, chain.transactions_of(message.proposal))
    changed: Message = replace(message, digest=wrong.digest, proposal=replace(wrong, index=message.index))
    return changed


def _hollow(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """Certificates left out: of a view change all, of a new view a view change or what must be proposed again."""
    del replica, seen
    if isinstance(message, ViewChange):
        return replace(message, prepared=())
    if isinstance(message, NewView):
        if draw % 2 and message.preprepares:
            return replace(message, preprepares=())
        return replace(message, view_changes=message.view_changes[1:])
    changed: Message = message
    return changed


def _any_view(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """Any view."""
    del replica, seen
    changed: Message = replace(message, view=View(draw % VIEWS))
    return changed


def _any_height(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """Any height up to a little beyond the own."""
    del seen
    changed: Message = replace(message, index=Height(draw % (replica.height + HEIGHTS_AHEAD)))
    return changed


def _any_digest(message: Any, replica: Replica, draw: int, seen: list[Digest]) -> Message:
    """Any digest, mostly one nobody has."""
    if draw % 3:
        changed: Message = replace(message, digest=chain.digest_of(b"drawn %d" % draw))
        return changed
    return _other_digest(message, replica, draw, seen)


SMALL: Final[tuple[tuple[str, Mutation, tuple[type, ...]], ...]] = (
    ("omit", _omit, (object,)),
    ("view-off", _view_off, (*NUMBERED, NewView)),
    ("height-off", _height_off, (object,)),
    ("other-digest", _other_digest, (Prepare, Commit, CheckPoint, ViewChange)),
    ("other-block", _other_block, (PrePrepare,)),
    ("hollow", _hollow, (ViewChange, NewView)),
)
"""Name, mutation, and which messages it is for."""

ANY: Final = (
    *SMALL,
    ("any-view", _any_view, (*NUMBERED, NewView)),
    ("any-height", _any_height, (object,)),
    ("any-digest", _any_digest, (Prepare, Commit, CheckPoint, ViewChange)),
    ("unsound-block", _unsound_block, (PrePrepare,)),
)
SCOPES: Final = {"small": SMALL, "any": ANY}
"""By the name on the command line."""


def mutate(message: Message, scope: str, draw: int, replica: Replica, seen: list[Digest]) -> tuple[str, Message | None]:
    """What the liar says instead, signed, and the name of the lie; `draw` chooses among the mutations for messages of this kind."""
    fitting = [(name, mutation) for name, mutation, kinds in SCOPES[scope] if isinstance(message, kinds)]
    name, mutation = fitting[draw % len(fitting)]
    changed = mutation(message, replica, draw // len(fitting), seen)
    return name, None if changed is None else chain.sign(changed, replica.rules)
