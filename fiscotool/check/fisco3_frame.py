"""The frame of the packed fisco3 model: its parts, the bits each reads, and what is asked of a state. The steps are in `fisco3_packed`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fiscotool.check.fisco3_bounds import FILLER, Changed, Entered, Limits, leader_of
from fiscotool.check.fisco3_local import Local
from fiscotool.check.fisco3_places import EVERYONE, Places
from fiscotool.check.fisco3_views import READERS, ViewMessages, can_lead
from fiscotool.check.frame import Asked, PackedFrame
from fiscotool.check.guards import guard_names, some_of
from fiscotool.check.howard_bits import bits_at

ANY_VIEW: Final = -1
"""The view of a part that is of no one view. What reads view messages is cut by views: the less it sees, the oftener it saw it before."""

OF_A_HEIGHT: Final = ("propose", "accept", "accept again", "prepared", "agreed")
GOALS: Final = ("a block is written", "certified in a later view", "an empty block fills a gap")
OF_VIEWS: Final = ("accept again", "time out", "new view", "enter view")
ASKED: Final = ("time out", "new view")
"""What open views do without."""
ACTIONS: Final = (
    "propose",
    "accept",
    "accept again",
    "prepared",
    "agreed",
    "pull",
    "write",
    "time out",
    "new view",
    "enter view",
    "crash",
    "sync",
)
CONJUNCTS: Final = {
    "propose": ("leads", "is next", "not voted in this view"),
    "accept": ("own view", "above ledger", "not voted in this view", "not agreed otherwise", "not locked otherwise"),
    "accept again": ("above ledger", "not voted in this view", "not agreed otherwise", "lock opens"),
    "prepared": ("not in timeout", "own view", "quorum of prepares"),
    "agreed": ("not in timeout", "own view", "quorum of commits"),
    "pull": ("f+1 checkpoints",),
    "write": ("quorum of checkpoints",),
    "new view": ("leads", "later view", "quorum of view changes"),
    "enter view": ("later view",),
}
"""What `Guards` counts."""


class Fisco3Frame(PackedFrame):
    """The model for `check.packed`. `only_view`, when set, lets votes be cast by the replicas in that view alone (`check.sweep`)."""

    actions = ACTIONS
    guards = guard_names(CONJUNCTS)

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self.only_view: int | None = None
        self._places = Places(limits)
        self._messages = ViewMessages(limits, self._places, self._widen)
        self._asked = Asked(self._places.decided_bits() | 1 << self._places.torn, self._agrees)
        named = [
            (i, kind, h, view)
            for i in limits.honest
            for kind in ACTIONS
            if self._is_possible(kind)
            for h in (self._places.heights if kind in OF_A_HEIGHT else (0,))
            for view in (range(1, limits.view_max + 1) if kind in READERS else (ANY_VIEW,))
            if kind != "new view" or can_lead(i, view, limits)
        ]
        self.part_names = [(i, kind, h) for i, kind, h, _ in named]
        self.part_views = [view for *_, view in named]
        self._masks = [self._places.mask(i, kind, h, view) for i, kind, h, view in named]

    def _is_possible(self, kind: str) -> bool:
        if kind in OF_VIEWS:
            return self.limits.view_max > 0 and not (self.limits.open_views and kind in ASKED)
        if kind == "sync":
            return "empty-block-unchecked" in self.limits.holes and self.limits.byzantine is not None
        return kind != "crash" or self.limits.crashes > 0

    def _widen(self, message: Changed | Entered, at: int) -> None:
        """Shows a new message to the parts that read it."""
        for part, ((i, kind, _), view) in enumerate(zip(self.part_names, self.part_views, strict=True)):
            reads = view == message.view and not (kind == "new view" and isinstance(message, Entered) and not self._leads(i, message))
            if reads or (isinstance(message, Changed) and kind == "time out" and i == message.sender):
                self._masks[part] |= 1 << at

    def _leads(self, i: int, message: Entered) -> bool:
        """Whether a new view can be this replica's."""
        h = message.base + 1
        return any(leader_of(h, message.view, members) == i for members in self.limits.lists(h))

    def initial(self) -> int:
        """Everybody in view 0 at height 0; every vote of the Byzantine replica is there."""
        return self._places.forged()

    def agrees(self, state: int) -> bool:
        """Agreement: no two honest replicas wrote or agreed on different values at a height, and none changed its mind."""
        return self._asked(state)

    def _agrees(self, state: int) -> bool:
        if state >> self._places.torn & 1:
            return False
        locals_ = [self._places.read(i, state) for i in self.limits.honest]
        for h in self._places.heights:
            told = {value for one in locals_ for value in (one.written_at(h), one.agreed.get(h, 0)) if value}
            if len(told) > 1:
                return False
        return True

    @property
    def goals(self) -> dict[str, Callable[[int], bool]]:
        """What a walk should come to at least once."""
        places, others = self._places, EVERYONE & ~self._places.liar
        commits = places.votes["commit"]
        later = bits_at((at for slot, at in commits.items() if slot[0]), others)
        fillers = bits_at((at for slot, at in commits.items() if slot[2] == FILLER), others)
        return dict(zip(GOALS, (some_of(places.block_bits()), some_of(later), some_of(fillers)), strict=True))

    def read(self, i: int, state: int) -> Local:
        """An honest replica."""
        return self._places.read(i, state)

    @property
    def places(self) -> Places:
        """The layout."""
        return self._places

    @property
    def view_messages(self) -> ViewMessages:
        """The messages that get bits as they are made."""
        return self._messages
