"""INI files as the real node reads them: sections, keys that keep their case, comments at the start of a line, errors that name the key.

Sources: spec 3.x 4.6 (boost property_tree's INI parser: `;` starts a comment line, unknown keys are ignored, a bad value stops the start).
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from typing import Final

from fiscotool.errors import EnvironmentFailure

_TRUE: Final = frozenset({"true", "1"})
_FALSE: Final = frozenset({"false", "0"})


class SettingsError(EnvironmentFailure):
    """A configuration file of a node is missing or wrong; the node does not start."""


@dataclass(frozen=True, slots=True)
class Ini:
    """A parsed INI file. `name` is what errors call it."""

    name: str
    sections: dict[str, dict[str, str]]

    def section(self, section: str) -> dict[str, str]:
        """All keys of a section, empty when there is none."""
        return self.sections.get(section, {})

    def wrong(self, section: str, key: str, expected: str) -> SettingsError:
        """The error for a value that is not what it must be."""
        value = self.section(section).get(key, "")
        return SettingsError(f"{self.name}: [{section}] {key}={value} is not accepted", hint=f"expected {expected}")

    def text(self, section: str, key: str, default: str) -> str:
        """The value, or the default when it is absent or empty."""
        return self.section(section).get(key, "").strip() or default

    def number(self, section: str, key: str, default: int, *, least: int, most: int = (1 << 63) - 1) -> int:
        """A whole number in least..most. Raises SettingsError."""
        value = self.text(section, key, str(default))
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise self.wrong(section, key, f"a whole number of at least {least}" + (f" and at most {most}" if most < (1 << 63) - 1 else ""))
        return number

    def port(self, section: str, key: str, default: int) -> int:
        """A TCP port. Raises SettingsError."""
        return self.number(section, key, default, least=1, most=65535)

    def flag(self, section: str, key: str, *, default: bool) -> bool:
        """A truth value: true, false, 1 or 0. Raises SettingsError."""
        value = self.text(section, key, "true" if default else "false").lower()
        if value not in _TRUE | _FALSE:
            raise self.wrong(section, key, "true or false")
        return value in _TRUE


def parse_ini(text: str, name: str) -> Ini:
    """Parse an INI text. Raises SettingsError that names the line."""
    parser = configparser.RawConfigParser(
        strict=True, comment_prefixes=(";", "#"), delimiters=("=",), interpolation=None, empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    # Indented keys are ordinary keys here, not continuation lines as Python's parser would have it.
    flat = "\n".join(line.strip() for line in text.splitlines())
    try:
        parser.read_string(flat, source=name)
    except configparser.Error as problem:
        raise SettingsError(
            f"{name} is not an INI file: {problem}".replace("\n", " "), hint="compare it with another node's file"
        ) from problem
    return Ini(name, {section: dict(parser.items(section)) for section in parser.sections()})
