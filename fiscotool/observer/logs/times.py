"""The time a line tells: local time of the node's host, without a zone.

Rule. The zone is given, or that of this machine; `clock.zone_from` finds it in the log itself where the log tells UTC times too.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from fiscotool.errors import UsageError

__all__ = ["LOCAL", "Stamps", "parse_zone"]

LOCAL: Final[tzinfo | None] = None
"""The zone of this machine, with its summer time."""

_OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")
_SECOND_CHARS: Final = 19


class Stamps:
    """Turns `YYYY-mm-dd HH:MM:SS.ffffff` into seconds since 1970. One per file: it remembers the last second."""

    __slots__ = ("_base_s", "_second", "zone")

    def __init__(self, zone: tzinfo | None = LOCAL) -> None:
        self.zone = zone
        self._second = ""
        self._base_s = 0.0

    def epoch_s(self, stamp: str) -> float:
        """The instant. Raises ValueError when it is no such time."""
        second = stamp[:_SECOND_CHARS]
        if second != self._second:
            self._base_s = datetime.fromisoformat(second).replace(tzinfo=self.zone).timestamp()
            self._second = second
        return self._base_s + float(stamp[_SECOND_CHARS:] or 0)


def parse_zone(text: str) -> tzinfo | None:
    """`+08:00`, `UTC`, `local` or a name like Asia/Shanghai. Raises UsageError."""
    if text == "local":
        return LOCAL
    if text.upper() in {"UTC", "Z"}:
        return timezone(timedelta(0), "UTC")
    match = _OFFSET.fullmatch(text)
    if match is not None:
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return timezone(timedelta(minutes=minutes if match[1] == "+" else -minutes))
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise UsageError(f"{text!r} is not a time zone", hint="for example +08:00, UTC, local, Asia/Shanghai") from problem
