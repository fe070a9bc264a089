r"""config.ini and config.genesis as the node reads them: sections of `key = value`.

Rule 1. Leading and trailing blanks mean nothing. build_chain.sh indents the second sealer deeper than the first, which Python's
        configparser would take for a continuation of the first one's value; the node does not.
Rule 2. A line whose first character is `;` or `#` is a comment; there are no comments behind a value.
Rule 3. A section or a key twice is an error, as it is for the node.

Sources: boost property_tree ini_parser, which NodeConfig.cpp uses; the files of recordings/v3/deploy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fiscotool.errors import ChainDirectoryError, EnvironmentFailure

Ini = dict[str, dict[str, str]]
"""Section → key → value, in the order of the file."""


def parse_ini(text: str, *, source: str) -> Ini:
    """The sections of `text`. `source` names the file in errors. Raises ChainDirectoryError with the line number."""
    sections: Ini = {}
    current: dict[str, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in ";#":
            continue
        if line.startswith("["):
            if not line.endswith("]"):
                raise _broken(source, number, f"a section that is not closed: {line[:60]!r}")
            name = line[1:-1].strip()
            if name in sections:
                raise _broken(source, number, f"section [{name}] stands there twice")
            current = sections.setdefault(name, {})
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals or not key:
            raise _broken(source, number, f"neither a section nor `key = value`: {line[:60]!r}")
        if current is None:
            raise _broken(source, number, f"{key!r} stands before the first section")
        if key in current:
            raise _broken(source, number, f"{key!r} stands there twice in its section")
        current[key] = value.strip()
    return sections


def text_of(ini: Mapping[str, Mapping[str, str]], section: str, key: str, default: str) -> str:
    """The value of section.key, or `default` where it is absent."""
    return ini.get(section, {}).get(key, default)


def integer_of(ini: Mapping[str, Mapping[str, str]], section: str, key: str, default: int, *, source: str) -> int:
    """The value as a whole number. Raises ChainDirectoryError where it is something else."""
    value = text_of(ini, section, key, str(default))
    if not value.isascii() or not value.removeprefix("-").isdigit():
        raise ChainDirectoryError(f"{source}: {section}.{key} is {value!r}, not a whole number", hint=f"correct the line in {source}")
    return int(value)


def flag_of(ini: Mapping[str, Mapping[str, str]], section: str, key: str, *, default: bool, source: str) -> bool:
    """The value as true or false (1 and 0 are accepted too, as boost does). Raises ChainDirectoryError otherwise."""
    value = text_of(ini, section, key, "true" if default else "false").lower()
    if value not in {"true", "false", "1", "0"}:
        raise ChainDirectoryError(f"{source}: {section}.{key} is {value!r}, neither true nor false", hint=f"correct the line in {source}")
    return value in {"true", "1"}


def _broken(source: str, number: int, fact: str) -> ChainDirectoryError:
    return ChainDirectoryError(f"{source}, line {number}: {fact}", hint="restore the file from another node of the chain, or deploy anew")


def edit_file(path: Path, changes: Mapping[tuple[str, str], str]) -> None:
    """`set_values` on a file."""
    path.write_text(set_values(path.read_text(encoding="utf-8"), changes), encoding="utf-8")


def set_values(text: str, changes: Mapping[tuple[str, str], str]) -> str:
    """`text` of an INI file with section.key set to new values; keys that are absent are added at the head of their section.

    Comments, order and indentation of everything else stay. Raises EnvironmentFailure where a section is absent.
    """
    left = dict(changes)
    lines = text.splitlines()
    section = ""
    heads: dict[str, int] = {}
    for position, raw in enumerate(lines):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
            heads[section] = position
        elif line and line[0] not in ";#" and "=" in line:
            key = line.partition("=")[0].strip()
            if (section, key) in left:
                indent = raw[: len(raw) - len(raw.lstrip())]
                lines[position] = f"{indent}{key}={left.pop((section, key))}"
    for (section, key), value in sorted(left.items(), key=lambda item: -heads.get(item[0][0], 0)):
        if section not in heads:
            raise EnvironmentFailure(f"the file has no section [{section}]", hint="use the build_chain.sh that the wrapper downloads")
        lines.insert(heads[section] + 1, f"    {key}={value}")
    return "\n".join(lines) + "\n"
