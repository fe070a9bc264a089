"""nodes_template/: found in the installed package or beside it in a checkout, and filled in with jinja2.

The delimiters are << >> and <% %>, because shell scripts are full of braces. A name a template wants and does not get is an error.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from fiscotool.errors import EnvironmentFailure

if TYPE_CHECKING:
    import jinja2

FLAVOUR = "air"
"""Directory of nodes_template/ with the files of a FISCO BCOS 3 Air chain; v2/ has those of FISCO BCOS 2 that differ."""


def shipped_template(name: str, flavour: str = FLAVOUR) -> Traversable:
    """The template `name`, which may hold slashes, of `flavour`."""
    parts = ("nodes_template", flavour, *name.split("/"))
    return _shipped(parts, parts)


def shipped_wrapper() -> Traversable:
    """scripts/build_chain_wrapper.sh."""
    return _shipped(("build_chain_wrapper.sh",), ("scripts", "build_chain_wrapper.sh"))


def _shipped(in_wheel: tuple[str, ...], in_checkout: tuple[str, ...]) -> Traversable:
    """A file that belongs to the tool but is no Python: the wheel has it in the package, a checkout beside the package."""
    package = importlib.resources.files("fiscotool")
    for found in (package.joinpath("_shipped", *in_wheel), package.joinpath("..", *in_checkout)):
        if found.is_file():
            return found
    raise EnvironmentFailure(
        f"this installation of fiscotool lacks {'/'.join(in_checkout)}", hint="install it again: pip install --force-reinstall fiscotool"
    )


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        autoescape=False,  # noqa: S701 - configuration files and scripts, not HTML
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )


@functools.cache
def _template(name: str, flavour: str) -> jinja2.Template:
    text = shipped_template(name, flavour).read_text(encoding="utf-8")
    return _environment().from_string(text)


def render(name: str, values: Mapping[str, object], flavour: str = FLAVOUR) -> str:
    """The file `name` of the template directory with `values` filled in."""
    return _template(name, flavour).render(values)
