"""Which form the blocks of a generation have."""

from __future__ import annotations

from typing import Final

from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form2 import FORM2
from fiscotool.devnet.form3 import FORM3

__all__ = ["form_of"]

_FORMS: Final[dict[int, BlockForm]] = {2: FORM2, 3: FORM3}


def form_of(generation: int) -> BlockForm:
    """The form of generation 2 or 3."""
    return _FORMS[generation]
