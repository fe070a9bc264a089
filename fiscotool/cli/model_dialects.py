"""What `model check` of fisco2 and of classic share: bounds from options; a packed walk with all properties, a plain one, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fiscotool.cli.model_walks import STATES_MAX, Walked, last_of, teller
from fiscotool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fiscotool.check.fisco3_bounds import Limits
    from fiscotool.check.judged import Properties
    from fiscotool.check.model import Exploration, Model
    from fiscotool.check.packed import PackedModel
    from fiscotool.cli.output import Output

    LimitsOf = TypeVar("LimitsOf", bound=Limits)

QUORUM = 3


class AgreeingModel(Protocol):
    """A plain model of a dialect."""

    def agrees(self, state: Any) -> bool:
        """Agreement."""


def limits_of(make: Callable[..., LimitsOf], holes: Iterable[str], options: dict[str, Any]) -> LimitsOf:
    """The bounds as asked for. Raises UsageError for a hole that is not there."""
    unknown = sorted(set(options["holes"]) - set(holes))
    if unknown:
        raise UsageError(f"--hole {unknown[0]}: there is no such hole in the model", hint="one of: " + ", ".join(holes))
    return make(
        heights=last_of("--heights", options["heights"] or "1..1", 1, 3),
        view_max=last_of("--views", options["views"] or "0..0", 0, 5),
        byzantine=options["byzantine"],
        crashes=options["crashes"] or 0,
        holes=frozenset(options["holes"]),
        quorum=options["quorum"] or QUORUM,
        symmetry=not options["no_symmetry"],
    )


def method_of(options: dict[str, Any], limits: Limits) -> str:
    """How to walk. Raises UsageError for what these models cannot."""
    method: str = options["method"] or "packed"
    if method == "compiled":
        raise UsageError("--method compiled: not for this specification", hint="one of: packed, plain, both")
    if method != "packed" and limits.holes:
        raise UsageError(f"--method {method}: the plain model has no holes", hint="leave out --hole, or --method")
    return method


def walk_both_ways(
    output: Output,
    options: dict[str, Any],
    packed: PackedModel,
    plain: Model[Any],
    *,
    properties: Properties,
    goals: Mapping[str, Callable[[int], bool]],
    impossible: dict[str, str],
    method: str,
) -> Walked:
    """The walk, or two and their comparison."""
    from fiscotool.check.budget import insist
    from fiscotool.check.explore import explore
    from fiscotool.check.judged import explore_judged

    limit = options["states_max"] or STATES_MAX
    if method == "plain":
        found = explore(plain, states_max=limit, on_level=teller(output))
        output.progress_done()
        return Walked(method, found, impossible)
    found = explore_judged(packed, properties, goals=goals, states_max=limit, on_level=teller(output))
    if method == "both":
        insist(found.ended)
        compare(found, explore(plain, states_max=limit, on_level=teller(output)))
    output.progress_done()
    return Walked(method, found, impossible)


def compare(packed: Exploration[Any], plain: Exploration[Any]) -> None:
    """Both walks must have counted the same, level by level and action by action."""
    ours, theirs = ((one.generated, one.levels, one.taken) for one in (packed, plain))
    if packed.violation is None and ours != theirs:
        raise AssertionError(f"two ways of counting differ: packed {ours[:2]}, plain {theirs[:2]}")
