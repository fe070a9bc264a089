"""Who is connected to whom, as the nodes tell it: groups of nodes that reach each other, and links that are missing."""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.doctor.situation import Situation


def links(seen: Situation) -> frozenset[frozenset[str]]:
    """Pairs of node ids of which at least one says that it is connected to the other."""
    return frozenset(frozenset((node.node_id, peer)) for node in seen.answering for peer in node.peer_ids or () if peer != node.node_id)


def components(seen: Situation) -> tuple[frozenset[str], ...]:
    """Sealers in groups that are connected, over others too; empty where nodes do not say whom they are connected to."""
    if any(node.peer_ids is None for node in seen.answering):
        return ()
    silent = {node.node_id for node in seen.nodes if node.state in {"paused", "stopped"}}
    known = links(seen)
    left = {node.node_id for node in seen.answering} | {peer for link in known for peer in link}
    left -= silent
    groups: list[frozenset[str]] = []
    while left:
        group = {left.pop()}
        border = set(group)
        while border:
            one = border.pop()
            near = {peer for link in known if one in link for peer in link} & left
            left -= near
            group |= near
            border |= near
        groups.append(frozenset(group))
    return tuple(sorted(groups, key=len, reverse=True))


def unconnected(seen: Situation) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name, others) for each answering node that lacks a link to others that answer; each missing link once."""
    known = links(seen)
    told: set[frozenset[str]] = set()
    answering = [node for node in seen.answering if node.peer_ids is not None]
    # Who lacks most comes first, so that one node that is cut off is named once, not by all the others.
    missing = {node.node_id: [other for other in answering if _is_missing(node.node_id, other.node_id, known)] for node in answering}
    for node in sorted(answering, key=lambda each: -len(missing[each.node_id])):
        others = [other for other in missing[node.node_id] if frozenset((node.node_id, other.node_id)) not in told]
        told |= {frozenset((node.node_id, other.node_id)) for other in others}
        if others:
            yield node.name, tuple(other.name for other in others)


def _is_missing(one: str, other: str, known: frozenset[frozenset[str]]) -> bool:
    return one != other and frozenset((one, other)) not in known
