"""Make a chain directory, all or nothing.

Rule 1. Everything is written into a directory beside the target, which is renamed when it is complete: an interrupted or failed
        deployment leaves no half chain, and a killed one only a directory that the next deployment clears away.
Rule 2. A target that exists is never touched.
Rule 3. Private keys are readable by their owner only, from the moment the file exists.

Sources: build_chain.sh leaves a half-made directory when it fails (recordings/v3/OBSERVED.md section 3); this is what not to do.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import fiscotool
from fiscotool.chain.files import PRIVATE, PlannedFile, render_files
from fiscotool.chain.manifest import MANIFEST_NAME, Manifest, read_manifest
from fiscotool.chain.model import Chain
from fiscotool.chain.plan import ChainPlan
from fiscotool.chain.portcheck import Wanted, is_local, require_free
from fiscotool.chain.read import read_chain
from fiscotool.chain.remove import destroy_chain
from fiscotool.errors import ChainDirectoryError, EnvironmentFailure

__all__ = ["Maker", "Progress", "Report", "destroy_chain", "discard", "write_chain"]

_BYTES_PER_NODE = 64 * 1024  # 13 files of at most a page or two each, and their directories
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` pieces are made; `what` is the one just finished."""

    done: int
    total: int
    what: str


Report = Callable[[Progress], None]

Maker = Callable[[ChainPlan, Path], None]
"""Makes the files of a plan in a directory that does not exist yet, in a parent that is empty and will be removed."""


def discard(progress: Progress) -> None:
    """The default Report: say nothing."""
    del progress


def write_chain(
    plan: ChainPlan,
    root: Path,
    *,
    report: Report = discard,
    check_ports: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    maker: Maker | None = None,
) -> Chain:
    """Make the chain of `plan` in `root`, which must not exist, and return it as read back.

    `maker` makes the files instead of our own provisioner (chain.wrapper: the official script).
    `check_ports` refuses ports that are taken now, for those of the hosts that are this machine. Raises ChainDirectoryError where
    `root` exists, PortTaken, and EnvironmentFailure where the disk is full, read-only or closed to this user; then nothing is left.
    """
    as_given, root = root, Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow links the user means
    _refuse_existing(root)
    if check_ports:
        here = {host for host in {node.host for node in plan.nodes} if is_local(host)}
        used = [
            Wanted(node.name, role, node.listen_ip, port)
            for node in plan.nodes
            if node.host in here
            for role, port in node.ports
            if role != "web3" or plan.spec.web3_enabled
        ]
        require_free(used, remedy="use other first ports: -p p2p,rpc,web3")
    made_parents: list[Path] = []
    work = root.parent / f".{root.name}.deploying-{os.getpid()}"
    try:
        _make_parents(root.parent, made_parents)
        _clear_abandoned(root)
        work.mkdir()
        complete = work / "chain"
        if maker is None:
            _make(plan, complete, report, now)
        else:
            maker(plan, complete)
        _write_manifest(plan, complete, now)
        _move_into_place(complete, root)
        shutil.rmtree(work, ignore_errors=True)
    except BaseException as problem:
        shutil.rmtree(work, ignore_errors=True)
        for parent in reversed(made_parents):
            with suppress(OSError):
                parent.rmdir()
        if isinstance(problem, OSError):
            raise _explain(problem, root, plan) from problem
        raise
    return read_chain(as_given)


def _refuse_existing(root: Path) -> None:
    if not os.path.lexists(root):
        return
    elsewhere = "or deploy elsewhere with -o"
    if not root.is_dir():
        raise ChainDirectoryError(f"{root} exists and is not a directory", hint=f"move it away, {elsewhere}")
    manifest = read_manifest(root)
    if manifest is not None:
        raise ChainDirectoryError(
            f"{root} already holds a chain: {manifest.chain_id}/{manifest.group_id}, {manifest.engine} engine, of {manifest.created}",
            hint=f"remove it with: fiscotool destroy, {elsewhere}",
        )
    entries = sorted(entry.name for entry in root.iterdir())
    if not entries:
        raise ChainDirectoryError(f"{root} exists; it is empty", hint=f"remove it with: rmdir {root}, {elsewhere}")
    listed = ", ".join(entries[:5]) + (f" and {len(entries) - 5} more" if len(entries) > 5 else "")  # noqa: PLR2004 - the same five
    raise ChainDirectoryError(f"{root} already exists, not made by fiscotool; it holds {listed}", hint=f"move it away, {elsewhere}")


def _make_parents(directory: Path, made: list[Path]) -> None:
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        made.append(each)


def _clear_abandoned(root: Path) -> None:
    """Remove what deployments to this place left that were killed: their directories name a process that is no more."""
    pattern = re.compile(re.escape(f".{root.name}.deploying-") + r"(\d+)")
    for entry in root.parent.iterdir():
        match = pattern.fullmatch(entry.name)
        if match and not entry.is_symlink() and (int(match[1]) == os.getpid() or not _is_alive(int(match[1]))):
            shutil.rmtree(entry, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _make(plan: ChainPlan, target: Path, report: Report, now: Callable[[], datetime]) -> None:
    # One step for the authorities, one for each certificate, one for the files.
    total = 1 + len(plan.nodes) + len(plan.host_places) + 1
    done = 0

    def made(what: str) -> None:
        nonlocal done
        done += 1
        report(Progress(done, total, what))

    for file in _files(plan, now(), made):
        path = target / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, file)
    made("files")


def _files(plan: ChainPlan, now: datetime, made: Callable[[str], None]) -> Iterator[PlannedFile]:
    if plan.spec.generation == 2:  # noqa: PLR2004 - FISCO BCOS 2
        from fiscotool.chain.certs2 import WantedNode, make_keys2
        from fiscotool.chain.files2 import render_files2, sdk_agencies

        wanted = [WantedNode(node.place.rpartition("/")[2], node.agency) for node in plan.nodes]
        keys2 = make_keys2(wanted, sdk_agencies(plan), rsa_channel=plan.spec.rsa_channel, now=now, report=made)
        return render_files2(plan, keys2, timestamp_ms=round(now.timestamp() * 1000))
    from fiscotool.chain.certs import make_keys

    return render_files(plan, make_keys(len(plan.nodes), len(plan.host_places), now=now, report=made))


def _write_manifest(plan: ChainPlan, target: Path, now: Callable[[], datetime]) -> None:
    found = sorted(target.rglob("*"))
    manifest = Manifest(
        engine=plan.spec.engine,
        chain_id=plan.spec.chain_id,
        group_id=plan.spec.group_id,
        version=plan.spec.version,
        tool_version=fiscotool.__version__,
        created=now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        files=tuple(path.relative_to(target).as_posix() for path in found if not path.is_dir()),
        directories=tuple(path.relative_to(target).as_posix() for path in found if path.is_dir()),
        byzantine=dict(plan.spec.byzantine),
        quirks=plan.spec.quirks,
    )
    write_file(target / MANIFEST_NAME, PlannedFile(MANIFEST_NAME, manifest.to_json().encode()))


def write_file(path: Path, file: PlannedFile) -> None:
    """Write a file that does not exist yet, never readable by others before its mode is set."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as target:
        if isinstance(file.content, bytes):
            target.write(file.content)
        else:
            with file.content.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
    path.chmod(file.mode)


def _move_into_place(complete: Path, root: Path) -> None:
    # Somebody may have made the directory while the keys were made; a rename would silently replace an empty one.
    _refuse_existing(root)
    complete.rename(root)


def _explain(problem: OSError, root: Path, plan: ChainPlan) -> EnvironmentFailure:
    where = next(each for each in (root, *root.parents) if each.exists())
    gone = "nothing was left behind"
    if problem.errno in _FULL:
        binary = plan.spec.binary.stat().st_size * len(plan.host_places) if plan.spec.binary else 0
        need_bytes = len(plan.nodes) * _BYTES_PER_NODE + binary
        free_bytes = shutil.disk_usage(where).free
        return EnvironmentFailure(
            f"the disk of {where} is full: {free_bytes // 1024} KiB free, about {need_bytes // 1024} KiB needed; {gone}",
            hint="free some space, or deploy to another disk with -o",
        )
    what = problem.strerror or str(problem)
    return EnvironmentFailure(f"{root} cannot be made: {what}; {gone}", hint=f"check the permissions of {where}, or use -o")
