"""`binary`: the fisco-bcos binaries that fiscotool keeps and deploys with."""

from __future__ import annotations

from pathlib import Path

import click

from fiscotool.cli.options import json_option
from fiscotool.cli.output import Output, table
from fiscotool.errors import EnvironmentFailure, ExitCode

_sha256_option = click.option("--sha256", metavar="HEX", default=None, help="The checksum it must have; it is not used with another.")


@click.group()
def binary() -> None:
    """Keep fisco-bcos binaries: list, add, fetch a release, say where one is.

    Nothing is executed that has not the checksum it must have. A deployment without -e uses what is kept here.
    """


@binary.command("list")
@json_option
def list_(output: Output) -> int:
    """Show what is kept, and whether it is unchanged.

    \b
    Example: fiscotool binary list
    """
    from fiscotool.chain.binaries import BinaryCache

    cache = BinaryCache()
    rows = [(entry, entry.is_unchanged) for entry in cache.entries()]
    data = [
        {
            "version": entry.version, "path": entry.path, "sha256": entry.sha256, "source": entry.source, "added": entry.added,
            "unchanged": unchanged,
        }
        for entry, unchanged in rows
    ]  # fmt: skip
    state = {True: "yes", False: "NO, not used"}
    shown = [(entry.version, f"{entry.sha256[:12]}…", state[unchanged], entry.added, entry.source) for entry, unchanged in rows]
    output.show(
        data, lambda: table(("version", "sha256", "unchanged", "added", "from"), shown) if rows else f"no binary is kept in {cache.root}"
    )
    return ExitCode.OK if all(unchanged for _, unchanged in rows) else ExitCode.VIOLATED


@binary.command()
@click.argument("path", type=click.Path(path_type=Path))
@_sha256_option
def add(path: Path, sha256: str | None) -> None:
    """Keep a binary that is on this machine, under the version it says it has.

    Without --sha256 your word is taken for it: it is executed once with -v.

    \b
    Example: fiscotool binary add ./fisco-bcos
    """
    from fiscotool.chain.releases import add_binary

    entry = add_binary(path, sha256=sha256)
    Output().say(f"kept as {entry.version}: {entry.path} (sha256 {entry.sha256})")


@binary.command()
@click.argument("version")
@_sha256_option
@click.option("--mirror", "mirrors", multiple=True, metavar="URL", help="Try this address first; {version} and {file} are filled in.")
def fetch(version: str, sha256: str | None, mirrors: tuple[str, ...]) -> None:
    """Download a release, verify it, keep it. What was cut off is resumed.

    The project publishes no checksums: the first call downloads and shows the one found, and nothing is used until you confirm it
    with --sha256 or in the configuration (docs/provisioning.md).

    \b
    Example: fiscotool binary fetch 3.16.4
             fiscotool binary fetch 2.9.1 --mirror https://mirror.example/v{version}/{file}
    """
    from fiscotool.chain.releases import fetch_binary

    output = Output()

    def show(done: int, total: int | None) -> None:
        of = f" of {total / (1 << 20):.1f}" if total else ""
        output.progress(f"{done / (1 << 20):.1f}{of} MiB")

    try:
        entry = fetch_binary(version, sha256=sha256, mirrors=mirrors, report=show)
    finally:
        output.progress_done()
    output.say(f"kept as {entry.version}: {entry.path} (sha256 {entry.sha256})")


@binary.command()
@click.argument("version", required=False)
def path(version: str | None) -> None:
    """Print where a binary is; without VERSION the newest. It is verified first.

    \b
    Example: fiscotool binary path 3.16.4
    """
    from fiscotool.chain.binaries import BinaryCache
    from fiscotool.chain.spec import parse_version

    cache = BinaryCache()
    entry = cache.find(parse_version(version)) if version else cache.newest(None)
    if entry is None:
        wanted = f"version {version} is not" if version else "no binary is"
        raise EnvironmentFailure(f"{wanted} kept in {cache.root}", hint="fiscotool binary fetch VERSION, or: fiscotool binary add PATH")
    entry.require_unchanged()
    Output().show(str(entry.path), str(entry.path))
