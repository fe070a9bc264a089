"""What the bounds of the small published specification make impossible, with the reason, so that "never" can be told apart from it.

A reason is an argument about the specification, not the result of a walk: an action that was never taken and that nothing here rules
out is a fault of the model, of its bounds, or of the engine. The published specification itself is such a case: unrepaired, `Prepare`
is never taken, and nothing in the bounds says why.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscotool.check.guards import guard_name
from fiscotool.check.howard_packed import CONJUNCTS, GOALS
from fiscotool.check.howard_terms import ACTIONS, WATER_MARKS, Bounds

NO_VIEWS = "there is one view"
NO_ACC = "nobody accepts others' votes"
VIEW_ACTIONS = ("ViewChange", "AcceptViewChange", "NewView", "AcceptNewView")
CHECKPOINT_ACTIONS = ("ExecuteAndCheckpoint", "UnstableCheckpoint", "StableCheckpoint")
EXECUTION = ("ExecuteNoCheckpoint", *CHECKPOINT_ACTIONS)


class _Reach:
    """What can be said of some bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        n = bounds.replicas
        self.changers = {i for i in bounds.acc if any(view % n != i for view in range(bounds.view_max))}
        self.leaders = {view % n for view in range(1, bounds.view_max + 1)} & bounds.acc

    @property
    def too_few_commits(self) -> str:
        needed = max(self.bounds.commits_needed, 1)
        few = len(self.bounds.acc) < needed
        return f"only a replica that accepts votes commits, and {needed} must" if few else ""

    @property
    def unstable(self) -> str:
        if not self.bounds.checkpoints:
            return "there are no checkpoints"
        most = 2 * self.bounds.faulty_max
        few = "fewer than 2F + 1 can execute" if len(self.bounds.acc) <= most else ""
        return self.too_few_commits or few

    def action(self, name: str) -> str:
        """Why an action cannot be taken, or ""."""
        bounds = self.bounds
        if name in VIEW_ACTIONS:
            return "" if bounds.view_max else NO_VIEWS
        if name in {"AcceptPrepare", "Commit", "AcceptCommit"}:
            return "" if bounds.acc else NO_ACC
        if name in CHECKPOINT_ACTIONS and not bounds.checkpoints:
            return "there are no checkpoints"
        if name == "ExecuteNoCheckpoint" and len(bounds.checkpoints) == bounds.tstamps:
            return "every number has a checkpoint"
        if name in EXECUTION:
            return self.unstable if name == "StableCheckpoint" else self.too_few_commits
        return ""

    def conjunct(self, action: str, name: str) -> str:
        """Why a conjunct cannot decide, or ""."""
        if action == "Execute":
            impossible = "" if name == "2F+1 commits" and self.bounds.acc else self.too_few_commits
        elif action == "Commit" and name == "2F prepares":
            impossible = ""
        elif action == "StableCheckpoint" and name == "2F+1 alike":
            impossible = self.action("UnstableCheckpoint")
        else:
            impossible = self.action(action)
        return impossible or self._own(action, name)

    def _own(self, action: str, name: str) -> str:
        bounds = self.bounds
        match action, name:
            case ("AcceptPrepare" | "Commit" | "AcceptCommit" | "Execute", "no view change"):
                return "" if self.changers else "nobody that accepts votes can ask for a view"
            case (_, "no view change" | "own view") if not bounds.view_max:
                return NO_VIEWS
            case (_, "within water marks") if bounds.tstamps <= WATER_MARKS:
                return self.unstable and f"no number is above {WATER_MARKS}, and no checkpoint stable: {self.unstable}"
            case "PrePrepare", "request is new" if bounds.tstamps == 1:
                return self.unstable and "one request has one number"
            case "PrePrepare", "number exists":
                return "" if self._is_led_unseen() else "a leader that made all its proposals uses numbers as it takes requests"
            case "Execute", "2F+1 commits" if not bounds.commits_needed:
                return "no commits are asked for"
            case "UnstableCheckpoint", _:
                return self.unstable
            case "StableCheckpoint", "executed so far":
                return self.unstable
            case _:
                return self._of_views(action, name)

    def _of_views(self, action: str, name: str) -> str:
        bounds = self.bounds
        match action, name:
            case "Prepare", "request known" if bounds.is_repaired:
                return "the repair takes requests from the messages"
            case "Prepare", "no other proposal" if self.unstable or bounds.tstamps == 1:
                return "no leader proposes twice for a number"
            case "Commit", "proposal logged" if not bounds.view_max:
                return NO_VIEWS
            case "Commit", "request known":
                return "" if self._is_told_unseen() else "a replica that accepts votes has seen every request that is prepared"
            case "AcceptViewChange", "valid":
                return "" if self.changers else "nobody that accepts votes can ask for a view"
            case "NewView", "leads next view":
                return "only who leads it accepts view changes for a view"
            case "AcceptNewView", "all valid":
                return "" if self.leaders else "no later leader accepts votes"
            case _:
                return ""

    def _is_led_unseen(self) -> bool:
        """Whether a leader can have a proposal in its log, by a view change, whose request it has not seen."""
        later = {view % self.bounds.replicas for view in range(1, self.bounds.view_max + 1)}
        return bool(later) and (self.bounds.tstamps > 1 or any(self.changers - {leader} for leader in later))

    def _is_told_unseen(self) -> bool:
        """Whether somebody can be told by a new view of a request it has not seen, and hear votes for it."""
        others = self.bounds.acc - {0} if self.bounds.view_max == 1 else self.bounds.acc
        return self.bounds.view_max > 0 and len(others) > 1


def ruled_out(bounds: Bounds) -> dict[str, str]:
    """Names of actions and of conjuncts that the bounds make impossible, each with the reason."""
    return {name: reason for name, reason in _reasons(_Reach(bounds)) if reason}


def _of_goal(reach: _Reach, name: str) -> str:
    if name == GOALS[0]:
        return reach.too_few_commits
    return NO_VIEWS if not reach.bounds.view_max else "" if reach.bounds.acc or name == GOALS[2] else NO_ACC


def _reasons(reach: _Reach) -> Iterator[tuple[str, str]]:
    for action in ACTIONS:
        yield action, reach.action(action)
    for action, names in CONJUNCTS.items():
        for name in names:
            yield guard_name(action, name), reach.conjunct(action, name)
    for name in GOALS:
        yield name, _of_goal(reach, name)
