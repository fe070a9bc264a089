"""The packed transcription's data: where every message and every part of a log is, and which bits each part of the system reads.

A state is one integer. Every message that can exist has a bit in what was sent and, where a log can hold it, a bit in each
replica's log; then a replica has its view, its executed number, a flag, and with checkpoints the senders of its stable one.
View-change and new-view messages are not known beforehand: they get bits when they are first made.
"""

from __future__ import annotations

from fiscotool.check.howard_bits import STATE_BITS, VIEW_BITS, Layout, Log, NewViewed, Slot, ViewChanged, bits_at
from fiscotool.check.howard_terms import Bounds

KINDS_OF_VIEWS = ("change", "lead", "follow")


class HowardLayout:
    """Places, parts and masks of the packed transcription for some bounds."""

    def __init__(self, bounds: Bounds) -> None:
        if bounds.view_max >= 1 << VIEW_BITS or bounds.tstamps >= 1 << STATE_BITS:
            raise ValueError(f"at most {(1 << VIEW_BITS) - 1} views and timestamps can be packed")
        self.bounds = bounds
        self.replicas = bounds.replicas
        self._f = bounds.faulty_max
        self._slots: list[Slot] = [
            (v, n, d) for v in range(bounds.view_max + 1) for n in range(1, bounds.tstamps + 1) for d in range(bounds.tstamps + 1)
        ]
        self._everyone = (1 << self.replicas) - 1
        self.messages: dict[ViewChanged | NewViewed, int] = {}
        self._lay_out()
        self._divide()

    def _lay_out(self) -> None:
        """Gives every fixed item its place. A place is the number of its lowest bit."""
        self.width = 0
        self.layout = Layout(
            sent_proposal={slot: self._place() for slot in self._slots},
            sent_prepare={slot: self._place(self.replicas) for slot in self._slots},
            sent_commit={slot: self._place(self.replicas) for slot in self._slots},
            sent_checkpoint={n: self._place(self.replicas) for n in sorted(self.bounds.checkpoints)},
            logs=[self._log() for _ in range(self.replicas)],
            reply={(slot, i): self._place() for slot in self._slots for i in range(self.replicas)},
        )

    def _log(self) -> Log:
        numbers = sorted(self.bounds.checkpoints)
        return Log(
            request={t: self._place() for t in range(1, self.bounds.tstamps + 1)},
            proposal={slot: self._place() for slot in self._slots},
            prepare={slot: self._place(self.replicas) for slot in self._slots},
            commit={slot: self._place(self.replicas) for slot in self._slots},
            checkpoint={n: self._place(self.replicas) for n in numbers},
            stable={n: self._place(self.replicas) for n in numbers},
            view=self._place(VIEW_BITS),
            state=self._place(STATE_BITS),
            changing=self._place(),
        )

    def _place(self, bits: int = 1) -> int:
        self.width += bits
        return self.width - bits

    def _divide(self) -> None:
        """Cuts the specification into parts as small as it allows, each with the bits that its actions read or write.

        The less a part sees, the more often it has seen the same before.
        """
        kinds = ["propose", "certify"]
        if self.bounds.checkpoints:
            kinds.append("checkpoint")
        if self.bounds.view_max:
            kinds += KINDS_OF_VIEWS
        accepting = [(i, kind) for i in sorted(self.bounds.acc) for kind in ("accept_prepare", "accept_commit")]
        self._parts = [(i, kind) for i in range(self.replicas) for kind in kinds] + accepting
        self.parts = len(self._parts)
        self._masks = [self._fixed_bits(i, kind) for i, kind in self._parts]

    def _fixed_bits(self, i: int, kind: str) -> int:
        log = self.layout.logs[i]
        one, own, all_ = 1, 1 << i, self._everyone
        executed = ((1 << STATE_BITS) - 1) << log.state
        proposals, prepares = bits_at(log.proposal.values(), one), bits_at(log.prepare.values(), all_)
        commits = bits_at(log.commit.values(), all_)
        requests, stable = bits_at(log.request.values(), one), bits_at(log.stable.values(), all_)
        logged = requests | proposals | prepares
        own_prepares = bits_at(log.prepare.values(), own) | bits_at(self.layout.sent_prepare.values(), own)
        told = bits_at(log.checkpoint.values(), own) | bits_at(self.layout.sent_checkpoint.values(), own)
        bits = {
            "propose": requests | proposals | bits_at(self.layout.sent_proposal.values(), one) | own_prepares | stable,
            "certify": logged | commits | bits_at(self.layout.sent_commit.values(), own) | executed | told,
            "accept_prepare": prepares | bits_at(self.layout.sent_prepare.values(), all_) | stable,
            "accept_commit": commits | bits_at(self.layout.sent_commit.values(), all_),
            "checkpoint": proposals
            | prepares
            | commits
            | stable
            | executed
            | bits_at(log.checkpoint.values(), all_)
            | bits_at(self.layout.sent_checkpoint.values(), all_),
            "change": logged | stable,
            "lead": logged | stable,
            "follow": proposals | own_prepares,
        }[kind]
        return bits | ((1 << VIEW_BITS) - 1) << log.view | 1 << log.changing

    def mask(self, part: int) -> int:
        """What a part's actions read or write, but replies, which nobody reads and everybody sends once."""
        return self._masks[part]

    def place_of(self, message: ViewChanged | NewViewed) -> int:
        """The bit of a message that is made at run time; after a view change's come those of the logs that hold it."""
        places: dict[ViewChanged | NewViewed, int] = self.messages
        at = places.get(message)
        if at is not None:
            return at
        at = places[message] = self._place(1 + self.replicas if isinstance(message, ViewChanged) else 1)
        for part, (i, kind) in enumerate(self._parts):
            if isinstance(message, NewViewed):
                if kind in {"lead", "follow"}:
                    self._masks[part] |= 1 << at
            elif kind == "lead":
                self._masks[part] |= 1 << at | 1 << at + 1 + i
            elif kind == "change" and i == message.sender:
                self._masks[part] |= 1 << at
        return at

    @property
    def _changes(self) -> list[tuple[ViewChanged, int]]:
        return [(message, at) for message, at in self.messages.items() if isinstance(message, ViewChanged)]

    @property
    def _new_views(self) -> list[tuple[NewViewed, int]]:
        return [(message, at) for message, at in self.messages.items() if isinstance(message, NewViewed)]

    def render(self, state: int) -> str:
        """Views and executed numbers of all replicas."""
        told = []
        for i, log in enumerate(self.layout.logs):
            view = state >> log.view & (1 << VIEW_BITS) - 1
            executed = state >> log.state & (1 << STATE_BITS) - 1
            told.append(f"{i}:v{view}{'*' if state >> log.changing & 1 else ''}/{executed}")
        return " ".join(told)
