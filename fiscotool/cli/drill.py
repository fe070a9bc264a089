"""`drill`: break the chain on purpose, heal it, record what happened."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fiscotool.cli.check import EXITS, brief_text, judged, judgement_data
from fiscotool.cli.options import dir_option, json_option, load_chain
from fiscotool.cli.output import Output, table
from fiscotool.errors import Interrupted

if TYPE_CHECKING:
    from fiscotool.chain.model import Chain
    from fiscotool.drills.guard import FaultLedger
    from fiscotool.drills.plan import Drill
    from fiscotool.drills.targets import LocalTarget

RECORDING = "recording.jsonl"
_WHOLE_CHAIN_BLOCKS = 1000


@click.group()
def drill() -> None:
    """Break the chain on purpose, heal it, record what happened."""


def ledger_of(chain: Chain) -> FaultLedger:
    """The chain's ledger of faults."""
    from fiscotool.drills.guard import FaultLedger

    return FaultLedger(chain.root / ".fiscotool")


@drill.command("list")
@json_option
def list_drills(output: Output) -> None:
    """List the drills there are.

    \b
    Example: fiscotool drill list
    """
    from fiscotool.drills.catalog import DRILLS

    output.show(
        [{"name": each.name, "title": each.title, "title_zh": each.title_zh, "expectation": each.expectation} for each in DRILLS],
        lambda: table(("drill", "what it does", "what PBFT promises"), [(each.name, each.title, each.expectation) for each in DRILLS]),
    )


@drill.command("run")
@click.argument("name")
@click.option("--record", "record_dir", default=None, type=click.Path(path_type=Path, file_okay=False), help="Directory for the recording.")
@click.option("--rate", "rate_per_s", type=float, default=None, help="Transactions a second beside the drill; 0 for none.")
@dir_option
@json_option
def run(name: str, record_dir: Path | None, rate_per_s: float | None, directory: Path, output: Output) -> int:
    """Run a drill: break, wait, heal, judge.

    Needs a chain whose nodes all run. Whatever it breaks is healed, also on Ctrl-C; after a crash: fiscotool drill heal.

    \b
    Example: fiscotool drill run kill-leader --record runs/first
    """
    from fiscotool.drills.catalog import drill_named
    from fiscotool.drills.targets import LocalTarget

    chosen = drill_named(name)
    chain = load_chain(directory)
    folder = record_dir if record_dir is not None else Path("runs") / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    path = folder / RECORDING
    target, ledger = LocalTarget(chain), ledger_of(chain)
    try:
        # One hold from the first look to the last block: a second drill is refused before it has made a recording.
        with ledger.exclusive():
            _heal_left_over(target, ledger, output)
            _play(chosen, chain, target, ledger, path, chosen.rate_per_s if rate_per_s is None else rate_per_s, output)
    except KeyboardInterrupt:
        left = ", ".join(fault.node for fault in ledger.open_faults())
        if left:
            raise Interrupted(f"interrupted; still broken: {left}", hint="heal it: fiscotool drill heal") from None
        raise Interrupted("interrupted; whatever the drill had broken is healed", hint=f"what was seen until then: {path}") from None
    finally:
        target.close()
    seen, judgement = judged(path)
    output.show({"recording": path, **judgement_data(seen, judgement)}, lambda: brief_text(seen, judgement))
    output.say(f"recording: {path}\nnext: fiscotool check {path}, fiscotool report {path}")
    return EXITS[judgement.verdict.value]


def _play(chosen: Drill, chain: Chain, target: LocalTarget, ledger: FaultLedger, path: Path, rate_per_s: float, output: Output) -> None:
    from fiscotool.drills.run import World, refuse, run_drill
    from fiscotool.drills.session import Session
    from fiscotool.drills.workload import Workload

    refuse(chosen, target)
    began_s = time.monotonic()

    def tell(text: str) -> None:
        output.say(f"{time.monotonic() - began_s:6.1f} s  {text}")

    with (
        Session(chain, path, drill=chosen.name, first_height=_first_height(target), with_logs=True) as session,
        Workload(chain, rate_per_s=rate_per_s, on_result=session.writer.tx, since_start=session.writer.since_start),
    ):
        run_drill(chosen, World(target, ledger, time.monotonic, time.sleep, tell, session.on_fault, has_load=rate_per_s > 0))


def _first_height(target: LocalTarget) -> int | None:
    """Block 0 on a young chain, so that the whole of it is judged; on an old one the observer chooses."""
    from fiscotool.drills.run import top_height

    return 0 if top_height(target.look()) <= _WHOLE_CHAIN_BLOCKS else None


def _heal_left_over(target: LocalTarget, ledger: FaultLedger, output: Output) -> None:
    from fiscotool.drills.guard import heal_open_faults

    for fault, done in heal_open_faults(target, ledger):
        output.say(f"an earlier drill ({fault.drill}) left {fault.node} broken ({fault.kind}): {done or 'it runs already'}")


@drill.command("heal")
@dir_option
@json_option
def heal(directory: Path, output: Output) -> None:
    """Heal what a crashed drill left broken.

    \b
    Example: fiscotool drill heal
    """
    from fiscotool.drills.guard import heal_open_faults
    from fiscotool.drills.targets import LocalTarget

    chain = load_chain(directory)
    ledger = ledger_of(chain)
    target = LocalTarget(chain)
    try:
        with ledger.exclusive():
            healed = [
                {"node": fault.node, "fault": fault.kind, "drill": fault.drill, "since": fault.when, "done": done or "it runs already"}
                for fault, done in heal_open_faults(target, ledger)
            ]
    finally:
        target.close()
    output.show(
        healed, lambda: table(list(healed[0]), [list(row.values()) for row in healed]) if healed else "nothing is broken by a drill"
    )
