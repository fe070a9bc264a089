"""`observe`: record what all nodes say."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiscotool.cli.options import load_chain, where_option
from fiscotool.cli.output import Output
from fiscotool.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from fiscotool.cli.options import Where

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


def duration_s(text: str) -> float:
    """`250ms`, `60s`, `5m`, `2` (seconds) in seconds. Raises UsageError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"{text!r} is not a duration", hint="for example 250ms, 60s, 5m")
    return float(match[1]) * _UNITS_S[match[2]]


@click.command()
@click.option(
    "--out", "path", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The recording to write; must not exist."
)
@click.option("--for", "for_text", default=None, metavar="TIME", help="How long (60s, 5m); default: until Ctrl-C.")
@click.option("--every", "every_text", default="250ms", show_default=True, metavar="TIME", help="How often every node is asked.")
@click.option("--logs", "with_logs", is_flag=True, help="Record what the nodes' logs say, too: time-outs, view changes, quorums.")
@where_option
def observe(path: Path, for_text: str | None, every_text: str, with_logs: bool, where: Where) -> None:
    """Record what all nodes say, for `check` and `report`.

    Ctrl-C ends the recording, whole (exit code 0; 130 when --for was given).

    \b
    Example: fiscotool observe --out run.jsonl --for 60s
             fiscotool observe --out run.jsonl --every 250ms --logs
             fiscotool observe --out run.jsonl --rpc 10.0.0.1:20200,10.0.0.2:20200
    """
    from fiscotool.drills.session import Session

    output = Output()
    every_s = duration_s(every_text)
    for_s = duration_s(for_text) if for_text else None
    chain = load_chain(where)
    with Session(chain, path, every_s=every_s, with_logs=with_logs) as session:
        output.say(f"recording {len(chain.nodes)} nodes into {path}; Ctrl-C ends")
        began_s = time.monotonic()
        try:
            while for_s is None or time.monotonic() - began_s < for_s:
                heard = session.poller.heard()
                output.progress(
                    f"{time.monotonic() - began_s:6.1f} s  "
                    + "  ".join(f"{name}:{item.error or item.values.get('height')}" for name, item in heard.items())
                )
                time.sleep(0.2 if for_s is None else max(0.0, min(0.2, for_s - (time.monotonic() - began_s))))
        except KeyboardInterrupt:
            # Ctrl-C is how an open-ended recording is meant to end.
            output.progress_done()
            if for_s is not None:
                raise Interrupted(
                    f"interrupted after {time.monotonic() - began_s:.0f} of {for_s:g} s",
                    hint=f"what was seen is recorded: fiscotool check {path}",
                ) from None
    output.progress_done()
    output.say(f"next: fiscotool check {path}")
