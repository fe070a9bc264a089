"""The ABI in which system contracts are called, read strictly and in a few lines.

Rule. A library whose next version might accept more would let nodes of two versions disagree on a block.

Source: Solidity ABI specification.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["WORD_BYTES", "Thrown", "arguments"]

WORD_BYTES: Final = 32


class Thrown(Exception):
    """The contract throws: the receipt fails with this message."""


def _word(data: bytes, at: int) -> int:
    if at < 0 or at + WORD_BYTES > len(data):
        raise Thrown("the call data ends in the middle of an argument")
    return int.from_bytes(data[at : at + WORD_BYTES], "big")


def _text(data: bytes, head_at: int) -> str:
    at = _word(data, head_at)
    size = _word(data, at)
    if at + WORD_BYTES + size > len(data):
        raise Thrown("the call data ends in the middle of a text")
    try:
        return data[at + WORD_BYTES : at + WORD_BYTES + size].decode()
    except UnicodeDecodeError:
        raise Thrown("a text in the call data is not UTF-8") from None


def arguments(types: tuple[str, ...], data: bytes) -> list[Any]:
    """The arguments in call data without its selector: a text for "string", a number for everything else. Raises Thrown."""
    return [_text(data, index * WORD_BYTES) if kind == "string" else _word(data, index * WORD_BYTES) for index, kind in enumerate(types)]
