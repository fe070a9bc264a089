"""What the tests of verdicts share: a recording under load, and what was violated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.user import Done, User, wait_until

QUICK = ("--min-seal-time", "20")
"""Milliseconds: two blocks under way at once, so that an equivocating leader meets others that have something to vote on."""


def observed_under_load(user: User, name: str, *, until: Callable[[], bool], count: int = 200, within_s: float = 60.0) -> None:
    """Record into `name` while transactions are sent, until `until`."""
    path = user.place / name
    with user.typing("observe", "--out", name, "--every", "100ms") as observer:
        wait_until(path.exists, within_s=60, what="the recording begins")
        with user.typing("send", "--count", count, "--rate", 10, "--within", 10) as sender:
            wait_until(until, within_s=within_s, what="what the load is for", every_s=0.1)
            sender.terminate()
            sender.communicate(timeout=30)
        observer.terminate()
        observer.communicate(timeout=30)


def violated(done: Done) -> dict[str, list[dict[str, Any]]]:
    """Evidence of each violated invariant."""
    return {each["invariant"]["id"]: each["evidence"] for each in done.json["findings"] if each["verdict"] == "violated"}
