"""What a typed reply did not understand."""

from __future__ import annotations

import dataclasses
from typing import Any


def unparsed(value: Any) -> list[Any]:
    """Every non-empty `extra` in a reply, however deep."""
    if isinstance(value, tuple | list):
        return [found for item in value for found in unparsed(item)]
    if dataclasses.is_dataclass(value):
        own = getattr(value, "extra", {})
        fields = [getattr(value, field.name) for field in dataclasses.fields(value) if field.name not in ("extra", "told")]
        return ([own] if own else []) + unparsed(fields)
    return []
