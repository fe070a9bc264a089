"""Fair cycles without a commit: once faults stop, can the living go from view to view for ever?

After that moment every message of a living replica arrives before its timer runs out, and timers run out when nothing else can happen:
weak fairness of delivery and of time-outs. What is left to chance is whose view changes a leader goes by. The graph of what can follow
has as its nodes what the living have written and hold, and the view modulo the number of leaders; lock views count by their order alone,
so the graph is finite. Its strongly connected components are found by Tarjan's algorithm. Nothing written is ever taken back, so whoever
goes round in one of them commits nothing: a cycle is a fair schedule in which the chain stands still for ever.

Where `Progress` follows the one schedule in which leaders go by everybody, this looks at all.

Sources: observables.md H1 and section 5; Tarjan, Depth-first search and linear graph algorithms (1972).
"""

from __future__ import annotations

from collections.abc import Callable

from fiscotool.check.fisco3_bounds import NODES, Limits, Lock
from fiscotool.check.fisco3_local import Prefix
from fiscotool.check.fisco3_progress import Locks, Recovery

Node = tuple[int, Prefix, Locks]
"""(view modulo the leaders, what is written, what each of the living holds with ranks for views)"""


class FairCycles:
    """The graph after faults stop, with `dead` (or nobody, or the liar) silent for ever."""

    def __init__(self, limits: Limits, dead: int | None = None) -> None:
        self._limits = limits
        self._recovery = Recovery(limits, dead)
        self._acyclic: set[Node] = set()

    def holds(self, state: int) -> bool:
        """Whether no cycle can be reached from a state of the model."""
        return not self.cycle_from(state)

    def cycle_from(self, state: int) -> tuple[str, ...]:
        """What each view of a cycle is like, or ()."""
        view, written, locks = self._recovery.start(state)
        return self._component(_node(view, written, locks))

    def _follow(self, node: Node) -> list[tuple[str, Node]]:
        """What the next view can come to."""
        turn, written, locks = node
        if len(written) == self._limits.heights:
            return []
        ranks = max((lock.view for held in locks for lock in held), default=0)
        view = ranks + 1 + (turn - ranks) % NODES
        found: dict[Node, str] = {}
        for chosen in list(self._recovery.choices()) or [()]:
            after, held, told = self._recovery.after(view, written, locks, chosen)
            found.setdefault(_node(view, after, held), told.partition(": ")[2] or "blocks are written")
        return [(told, following) for following, told in found.items()]

    def _component(self, start: Node) -> tuple[str, ...]:
        """Tarjan's search without recursion; the first component that is a cycle."""
        index: dict[Node, int] = {}
        low: dict[Node, int] = {}
        stack: list[Node] = []
        on_stack: set[Node] = set()
        work = [(start, iter(self._follow(start)))]
        index[start] = low[start] = 0
        stack.append(start)
        on_stack.add(start)
        while work:
            node, edges = work[-1]
            for _, following in edges:
                if following in self._acyclic:
                    continue
                if following not in index:
                    index[following] = low[following] = len(index)
                    stack.append(following)
                    on_stack.add(following)
                    work.append((following, iter(self._follow(following))))
                    break
                if following in on_stack:
                    low[node] = min(low[node], index[following])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    members = set(stack[stack.index(node) :])
                    del stack[stack.index(node) :]
                    on_stack -= members
                    if len(members) > 1 or any(following == node for _, following in self._follow(node)):
                        return self._round(node, members)
                    self._acyclic.add(node)
        return ()

    def _round(self, node: Node, members: set[Node]) -> tuple[str, ...]:
        """Once through a component."""
        story, at, seen = list[str](), node, set[Node]()
        while at not in seen:
            seen.add(at)
            told, at = next((told, following) for told, following in self._follow(at) if following in members)
            story.append(told)
        return tuple(story)


def _node(view: int, written: Prefix, locks: Locks) -> Node:
    """The node: views of locks by rank, the view by whose turn it is."""
    views = sorted({lock.view for held in locks for lock in held})
    ranked = tuple(tuple(Lock(lock.height, views.index(lock.view), lock.value) for lock in held) for held in locks)
    return view % NODES, written, ranked


def no_fair_cycle(limits: Limits) -> Callable[[int], bool]:
    """The property that from a state no such cycle can be reached, whoever single is dead; with a liar, when it is silent."""
    deaths: tuple[int | None, ...] = (None,) if limits.byzantine is not None else (None, *range(NODES))
    graphs = [FairCycles(limits, dead) for dead in deaths]
    return lambda state: all(graph.holds(state) for graph in graphs)
