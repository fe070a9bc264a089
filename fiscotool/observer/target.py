"""Which node is watched, and how it is spoken to. A value."""

from __future__ import annotations

from dataclasses import dataclass

from fiscotool.observer.pushes import ChannelAddress
from fiscotool.observer.questions import Speech
from fiscotool.rpc.dialect import Dialect, is_group_number
from fiscotool.rpc.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class PollTarget:
    """A node to watch. `name` is unique; `tls` for an https URL.

    `dialect` None: groups of 3.x are names; where the group is a number or "" the node is asked what it is. `channel`: of a 2.x node,
    which pushes new blocks over it.
    """

    name: str
    url: str
    group: str = "group0"
    tls: TlsFiles | None = None
    dialect: Dialect | None = None
    channel: ChannelAddress | None = None

    @property
    def speech(self) -> Speech | None:
        """How to ask it, as far as that is known beforehand."""
        if self.dialect is not None:
            return Speech.of(self.dialect, self.group)
        return None if not self.group or is_group_number(self.group) else Speech.of(Dialect.FISCO3, self.group)
