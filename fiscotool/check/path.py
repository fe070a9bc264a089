"""A way through a packed model: taken again step by step, and drawn in space and time.

A way is told by its labels alone, so that it can be kept in a file, sent to someone, and walked by a later version of the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final

from fiscotool.check.packed import PackedModel, steps_of

ACTOR: Final = re.compile(r"(?:\w+\(|node)(\d+)")
SOURCE: Final = re.compile(r"\bof (\d+)\b")
STEP_PX: Final = 34
LINE_PX: Final = 70
LEFT_PX: Final = 80
LABEL_PX: Final = 15


class NotAWayError(ValueError):
    """A step that the model does not allow where it was told. `number` counts from 1; `enabled` is what it allows there."""

    def __init__(self, number: int, label: str, enabled: Sequence[str]) -> None:
        super().__init__(f"step {number}, {label!r}, is not enabled there")
        self.number = number
        self.label = label
        self.enabled = tuple(enabled)


def replay(model: PackedModel, labels: Sequence[str]) -> frozenset[int]:
    """The states after these steps: more than one where a label stands for several messages. Raises NotAWayError."""
    states = {model.initial()}
    for number, label in enumerate(labels, 1):
        steps = [step for state in states for step in steps_of(model, state)]
        states = {step.target for step in steps if step.label == label}
        if not states:
            raise NotAWayError(number, label, sorted({step.label for step in steps}))
    return frozenset(states)


def space_time_svg(labels: Sequence[str], *, title: str) -> str:
    """One line a replica, time to the right, a dot and a number for each step, an arrow where a step names its sender; labels below."""
    actors = [_actor(label) for label in labels]
    lines = sorted({actor for actor in actors if actor is not None} | {int(told) for label in labels for told in SOURCE.findall(label)})
    height = {replica: 50 + k * LINE_PX for k, replica in enumerate(lines)}
    bottom = 50 + len(lines) * LINE_PX
    right = LEFT_PX + STEP_PX * (len(labels) + 1)
    width = max(right, LEFT_PX + 8 * max(map(len, (*labels, title)), default=0))
    tall = bottom + LABEL_PX * (len(labels) + 2)
    told = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{tall}" font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="10" y="20" font-weight="bold">{escape(title)}</text>',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">',
        '<path d="M0,0 L8,4 L0,8 z"/></marker></defs>',
    ]
    told += [
        f'<text x="10" y="{y + 4}">node{replica}</text><line x1="{LEFT_PX}" y1="{y}" x2="{right}" y2="{y}" stroke="#999"/>'
        for replica, y in height.items()
    ]
    last: dict[int, int] = {}
    for number, (label, actor) in enumerate(zip(labels, actors, strict=True), 1):
        x = LEFT_PX + STEP_PX * number
        told.append(f'<text x="{LEFT_PX}" y="{bottom + LABEL_PX * number}">{number}. {escape(label)}</text>')
        if actor is None:
            continue
        for sender in map(int, SOURCE.findall(label)):
            if sender != actor and sender in last:
                told.append(
                    f'<line x1="{last[sender]}" y1="{height[sender]}" x2="{x}" y2="{height[actor]}" stroke="#36c" marker-end="url(#tip)"/>'
                )
        told.append(
            f'<circle cx="{x}" cy="{height[actor]}" r="5"><title>{escape(label)}</title></circle>'
            f'<text x="{x}" y="{height[actor] - 10}" text-anchor="middle">{number}</text>'
        )
        last[actor] = x
    return "\n".join((*told, "</svg>", ""))


def _actor(label: str) -> int | None:
    """Who takes a step, by its label."""
    found = ACTOR.match(label)
    return int(found.group(1)) if found else None
