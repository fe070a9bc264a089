"""What reading a directory of either generation needs: files as text or INI, ports, and comparisons that say what differs."""

from __future__ import annotations

from pathlib import Path

from fiscotool.chain.ini import Ini, integer_of, parse_ini
from fiscotool.chain.model import NodeHome
from fiscotool.errors import ChainDirectoryError

_DIFFERENCES_SHOWN_MAX = 3
_SHORT = 20


def read_ini(path: Path) -> Ini:
    """The file as sections. Raises ChainDirectoryError where it is missing or no INI file."""
    return parse_ini(read_text(path), source=str(path))


def read_text(path: Path) -> str:
    """The file's text. Raises ChainDirectoryError with the next step where it is missing or cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ChainDirectoryError(
            f"{path} is missing", hint="the directory was made only by half, or the file was lost: restore it, or deploy anew"
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        raise ChainDirectoryError(f"{path} cannot be read: {problem}", hint="check its permissions, or restore the file") from problem


def port_of(config: Ini, section: str, default: int, source: str, *, key: str = "listen_port") -> int:
    """The port in section.key. Raises ChainDirectoryError where it is none."""
    port = integer_of(config, section, key, default, source=source)
    if not 0 < port < 1 << 16:
        raise ChainDirectoryError(f"{source}: {section}.{key} is {port}, not a port", hint=f"correct the line in {source}")
    return port


def differences(found: Ini, expected: Ini, there: str) -> tuple[str, ...]:
    """What differs between two files, each as a sentence; `there` names the owner of `expected`."""
    keys = dict.fromkeys((section, key) for ini in (expected, found) for section in ini for key in ini[section])
    return tuple(
        f"{section}.{key} is {_short(found, section, key)} there and {_short(expected, section, key)} on {there}"
        for section, key in keys
        if found.get(section, {}).get(key) != expected.get(section, {}).get(key)
    )


def refuse_other(node: NodeHome, first: NodeHome, expected: Ini, path: str) -> None:
    """Raise ChainDirectoryError unless the file `path` of `node` says what the one of `first` says."""
    different = differences(read_ini(node.directory / path), expected, first.name)
    if different:
        more = f"; and {len(different) - _DIFFERENCES_SHOWN_MAX} more" if len(different) > _DIFFERENCES_SHOWN_MAX else ""
        raise foreign(node, f"its {path} differs: " + "; ".join(different[:_DIFFERENCES_SHOWN_MAX]) + more)


def _short(ini: Ini, section: str, key: str) -> str:
    value = ini.get(section, {}).get(key)
    if value is None:
        return "absent"
    return value if len(value) <= _SHORT else f"{value[:16]}…"


def foreign(node: NodeHome, fact: str) -> ChainDirectoryError:
    """The error for a node that lies in a chain's directory and is not of the chain."""
    return ChainDirectoryError(
        f"{node.name} does not belong to this chain: {fact} ({node.directory})", hint="put the right directory back, or move this one away"
    )
