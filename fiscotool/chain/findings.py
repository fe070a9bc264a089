"""What lint and doctor find: an id, whom it concerns, the evidence as values, and words for it in two languages.

A finding is data; `Words` turn it into sentences. The id is for programs and for looking up (docs/doctor.md), and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from string import Formatter
from types import MappingProxyType
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Severity(IntEnum):
    """How bad it is; greater is worse. ERROR: a node does not run, or blocks are not made, because of it."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Words:
    """What a finding of one id says: the fact with its evidence, and the remedy. `{name}` stands for a value; `{nodes}` for the nodes."""

    severity: Severity
    fact_en: str
    remedy_en: str
    fact_zh: str
    remedy_zh: str

    def placeholders(self) -> tuple[frozenset[str], ...]:
        """The values each of the four texts names: fact and remedy in English, then in Chinese."""
        texts = (self.fact_en, self.remedy_en, self.fact_zh, self.remedy_zh)
        return tuple(frozenset(name for _, name, _, _ in Formatter().parse(text) if name) for text in texts)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    `nodes` are names; `values` the evidence, as text ready to be shown; a value `x_zh` is `x` in Chinese.
    """

    id: str
    words: Words
    nodes: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.words.severity

    def fact(self, language: Language = "en") -> str:
        """What is so, with the evidence."""
        return self._say(self.words.fact_en if language == "en" else self.words.fact_zh, language)

    def remedy(self, language: Language = "en") -> str:
        """What to do about it."""
        return self._say(self.words.remedy_en if language == "en" else self.words.remedy_zh, language)

    def _say(self, text: str, language: Language) -> str:
        joined = ("、" if language == "zh" else ", ").join(self.nodes)
        translated = {key.removesuffix("_zh"): value for key, value in self.values.items() if language == "zh" and key.endswith("_zh")}
        return text.format_map({**self.values, **translated, "nodes": joined})

    def as_data(self, language: Language = "en") -> dict[str, object]:
        """For `--json`."""
        return {
            "id": self.id,
            "severity": self.severity.name.lower(),
            "nodes": list(self.nodes),
            "fact": self.fact(language),
            "remedy": self.remedy(language),
            "values": dict(self.values),
        }


def found(catalog: Mapping[str, Words], name: str, nodes: Iterable[str] | str = (), **values: object) -> Finding:
    """A finding with the id `name` of `catalog`."""
    whom = (nodes,) if isinstance(nodes, str) else tuple(nodes)
    return Finding(name, catalog[name], whom, MappingProxyType({key: str(value) for key, value in values.items()}))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors before warnings before notes; otherwise in the order they were found."""
    return tuple(sorted(findings, key=lambda finding: -finding.severity))
