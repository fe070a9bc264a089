"""Replacing functions of the core, and putting them back.

A function is replaced in every module of the core that holds it, or only in those that are named. What judges (`properties`,
`local_properties` of every dialect) keeps the right one. The shortcut of `step` is closed meanwhile: it would pass the replacement by.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, Final, Self

import fiscotool.pbft
from fiscotool.errors import EnvironmentFailure
from fiscotool.pbft import step as step_module
from fiscotool.pbft.shortcut import count_vote, without_shortcut

JUDGES: Final = ("properties", "local_properties")
"""Last words of the names of modules that judge."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """An attribute of a module, what it was and what it becomes."""

    module: ModuleType
    name: str
    original: Any
    value: Any


def core_modules() -> Iterator[ModuleType]:
    """The modules of the core that do not judge."""
    for info in pkgutil.walk_packages(fiscotool.pbft.__path__, "fiscotool.pbft."):
        if info.name.rsplit(".", 1)[-1] not in JUDGES:
            yield importlib.import_module(info.name)


class Planter:
    """Collects what a mutant replaces."""

    def __init__(self) -> None:
        self.replacements: list[Replacement] = []

    def swap(self, original: Callable[..., Any], value: Callable[..., Any], *, only: Collection[ModuleType] = ()) -> None:
        """Have `value` in the place of `original`, everywhere or in these modules; EnvironmentFailure where the core is compiled."""
        if not isinstance(original, FunctionType):
            raise EnvironmentFailure(
                f"{original.__name__} is compiled: its callers would not notice that it was replaced",
                hint="plant bugs in the plain core: run without build/fast in PYTHONPATH",
            )
        name = original.__name__
        found = [module for module in (only or core_modules()) if getattr(module, name, None) is original]
        assert found, f"nothing holds {name}"
        if not self.replacements:
            self.replacements.append(Replacement(step_module, "count_vote", count_vote, without_shortcut))
        self.replacements += [Replacement(module, name, original, value) for module in found]

    def __enter__(self) -> Self:
        """Put everything in place."""
        for entry in self.replacements:
            setattr(entry.module, entry.name, entry.value)
        return self

    def __exit__(self, *_: object) -> None:
        """Put everything back."""
        for entry in self.replacements:
            setattr(entry.module, entry.name, entry.original)
