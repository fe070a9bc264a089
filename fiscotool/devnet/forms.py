"""Which form the blocks of a chain have."""

from __future__ import annotations

from typing import Final

from fiscotool.devnet.form import BlockForm
from fiscotool.devnet.form2 import FORM2
from fiscotool.devnet.form3 import FORM3
from fiscotool.devnet.form_classic import FORM_CLASSIC

__all__ = ["form_of"]

_FORMS: Final[dict[int, BlockForm]] = {2: FORM2, 3: FORM3}


def form_of(generation: int, protocol: str = "fisco3") -> BlockForm:
    """The form of generation 2 or 3; `classic`, which has 3.x blocks, needs one thing more in them."""
    return FORM_CLASSIC if protocol == "classic" else _FORMS[generation]
