"""What the plain models of fisco2 and classic share: honest replicas by index, everything they said, and the steps of each in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, NamedTuple, TypeVar

from fiscotool.check.fisco3_bounds import NODES, Limits
from fiscotool.check.model import Taken

Node = TypeVar("Node")
Said = TypeVar("Said")


class World(NamedTuple, Generic[Node, Said]):
    """A state: the honest replicas by index (the liar's place is None), what they said, and how often one crashed."""

    nodes: tuple[Node | None, ...]
    said: frozenset[Said] = frozenset()
    crashes: int = 0


class PlainFrame(ABC, Generic[Node, Said]):
    """A model for `check.explore` but for its replicas and its rules. No holes."""

    actions: ClassVar[tuple[str, ...]]

    def __init__(self, limits: Limits) -> None:
        if limits.holes:
            raise ValueError("the plain model has no holes")
        self.limits = limits
        self.liar = limits.byzantine

    def initial(self) -> World[Node, Said]:
        """Everybody in view 0."""
        return World(tuple(None if i == self.liar else self._fresh() for i in range(NODES)))

    def successors(self, state: World[Node, Said]) -> Iterator[Taken[World[Node, Said]]]:
        """Every step of every honest replica."""
        for i, me in enumerate(state.nodes):
            if me is None:
                continue
            for action, node, messages in self._of(i, me, state):
                nodes = (*state.nodes[:i], node, *state.nodes[i + 1 :])
                yield Taken(action, f"node{i} {action}", World(nodes, state.said | messages, state.crashes + (action == "crash")))

    @abstractmethod
    def render(self, state: World[Node, Said]) -> str:
        """A state in one readable line."""

    @abstractmethod
    def _fresh(self) -> Node:
        """A replica at its beginning."""

    @abstractmethod
    def _of(self, i: int, me: Node, w: World[Node, Said]) -> Iterator[tuple[str, Node, frozenset[Said] | set[Said]]]:
        """All steps of a replica: (action, the replica after it, what it says)."""
