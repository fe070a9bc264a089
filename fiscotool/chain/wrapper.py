"""Let the official build_chain.sh make the chain, and leave the directory our own provisioner would have left.

    wrapper script ──▶ build_chain.sh ──▶ <work>/chain ──▶ edits of Rule 2 ──▶ manifest ──▶ renamed to the target

Rule 1. The script is run by scripts/build_chain_wrapper.sh, which finds and verifies it. It runs in a scratch directory, because it
        leaves files where it is started (public.pem, accounts/), and with a HOME of its own where the user's lacks what it would
        download: an ordinary openssl does for non-national cryptography, and the admin account is made here.
Rule 2. Options build_chain.sh does not have are written into its files afterwards, before any start: plan.DIFFERENCES.
Rule 3. All or nothing, as in `chain.write`.

Sources: spec 3.x 4.1, 4.2; build_chain.sh `check_and_install_tassl`, `generate_auth_account`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file
from pathlib import Path

from fiscotool.chain.certs import address_of, make_signing_key
from fiscotool.chain.command import Told, run_command
from fiscotool.chain.ini import edit_file
from fiscotool.chain.model import BINARY_NAME, Generation, bracketed
from fiscotool.chain.plan import ChainPlan, NodePlan
from fiscotool.chain.spec import CHECKPOINT_TIMEOUT_DEFAULT_MS, LOG_LEVEL_DEFAULT, PIPELINE_DEFAULT_BLOCKS
from fiscotool.chain.templates import shipped_wrapper
from fiscotool.chain.wrapper2 import edit_node2, options2
from fiscotool.errors import EnvironmentFailure

_WHERE_S = 90.0
_RUN_BASE_S, _RUN_PER_NODE_S = 120.0, 5.0
_TOOLS = ".fisco"
_OPENSSL_NAME = "tassl-1.1.1b"
_ACCOUNT_SCRIPT = "get_account.sh"
_GM_ACCOUNT_SCRIPT = "get_gm_account.sh"
_SAID_CHARACTERS = 600
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class OfficialScript:
    """The official script: its path if it can be had, else why not (a sentence)."""

    path: Path | None
    why_not: str


def find_official(generation: Generation = 3, environ: Mapping[str, str] = os.environ) -> OfficialScript:
    """Find and verify build_chain.sh of a generation: named by the environment, the cache, or a download. Never raises for its absence."""
    done = _run_wrapper(["--generation", str(generation), "--where"], environ=environ, cwd=Path.cwd(), within_s=_WHERE_S)
    if done.status == 0:
        return OfficialScript(Path(done.stdout.strip().splitlines()[-1]).absolute(), "")
    error = next((line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")), "")
    return OfficialScript(None, error or f"the wrapper ended with status {done.status}")


def run_official(
    plan: ChainPlan, script: Path, target: Path, *, flags: Sequence[str] = (), environ: Mapping[str, str] = os.environ
) -> None:
    """Make the chain of `plan` in `target`, which must not exist, with the official `script`. A directory beside it is used as scratch.

    `flags` are passed on to the script as they are. Raises EnvironmentFailure with what the script said.
    """
    if plan.spec.binary is None:
        raise EnvironmentFailure("build_chain.sh needs a fisco-bcos binary", hint="give one with -e")
    is_2 = plan.spec.generation == 2  # noqa: PLR2004 - FISCO BCOS 2
    scratch = target.parent / "scratch"
    with ExitStack() as stack:
        if is_2 and any(letter.isspace() for letter in str(scratch)):
            # The script of 2.x cannot work below a directory with a blank in its name.
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fiscotool-")))
        else:
            scratch.mkdir()
        made = scratch / "nodes" if is_2 else target
        home = _users_home(environ) if plan.spec.sm_crypto or is_2 else _prepared_home(scratch, environ)
        binary = _named_binary(plan.spec.binary, scratch)
        words = options2(plan, binary, scratch) if is_2 else _options(plan, binary, target)
        done = _run_wrapper(
            ["--script", str(script), "--generation", str(plan.spec.generation), *words, *flags],
            environ={**environ, "HOME": str(home)},
            cwd=scratch,
            within_s=_RUN_BASE_S + _RUN_PER_NODE_S * len(plan.nodes),
        )
        if done.status != 0:
            said = _COLOUR.sub("", done.stderr.strip() or done.stdout.strip())[-_SAID_CHARACTERS:]
            raise EnvironmentFailure(f"build_chain.sh failed: {said}", hint="correct the cause, or deploy without it: --maker native")
        if is_2:
            shutil.move(made, target)
    for node in plan.nodes:
        if is_2:
            edit_node2(plan, node, target)
        else:
            _edit_node(plan, node, target)


def _options(plan: ChainPlan, binary: Path, target: Path) -> list[str]:
    spec = plan.spec
    hosts = ",".join(f"{bracketed(group.address)}:{group.node_count}" for group in spec.hosts)
    options = {
        "-l": hosts,
        "-p": f"{spec.ports.p2p},{spec.ports.rpc}",
        "-e": str(binary),
        "-o": str(target),
        "-g": spec.group_id,
        "-I": spec.chain_id,
        "-v": f"v{spec.version}",
    }
    words = [word for pair in options.items() for word in pair]
    if any(":" in group.address for group in spec.hosts):
        words.append("-6")
    return [*words, "-s"] if spec.sm_crypto else words


def missing_tools(plan: ChainPlan, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """What national cryptography needs in ~/.fisco and is not there. The scripts would download and run it unverified; we do not."""
    if not plan.spec.sm_crypto:
        return ()
    tools = _users_home(environ) / _TOOLS
    wanted = [tools / "tassl"] if plan.spec.generation == 2 else [tools / _OPENSSL_NAME, tools / _GM_ACCOUNT_SCRIPT]  # noqa: PLR2004
    return tuple(path for path in wanted if not path.is_file())


def _users_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME", "/nonexistent"))


def _named_binary(binary: Path, scratch: Path) -> Path:
    """`binary` under the name its copies must have: the script copies it as it is called, and start.sh looks for fisco-bcos."""
    if binary.name == BINARY_NAME:
        return binary.absolute()
    link = scratch / "bin" / BINARY_NAME
    link.parent.mkdir()
    link.symlink_to(binary.absolute())
    return link


def _run_wrapper(words: list[str], *, environ: Mapping[str, str], cwd: Path, within_s: float) -> Told:
    with ExitStack() as stack:
        wrapper = stack.enter_context(as_file(shipped_wrapper()))
        bash = shutil.which("bash")
        if bash is None:
            raise EnvironmentFailure("build_chain.sh needs bash, which is not installed", hint="install bash, or use --maker native")
        return run_command([bash, str(wrapper), *words], within_s=within_s, cwd=cwd, environ=environ)


def _prepared_home(scratch: Path, environ: Mapping[str, str]) -> Path:
    """The user's HOME if it has both tools, else one in `scratch` with what is missing made here."""
    users = _users_home(environ)
    tools = users / _TOOLS
    if os.access(tools / _OPENSSL_NAME, os.X_OK) and (tools / _ACCOUNT_SCRIPT).is_file():
        return users
    home = scratch / "home"
    (home / _TOOLS).mkdir(parents=True)
    own = tools / _OPENSSL_NAME
    openssl = str(own) if os.access(own, os.X_OK) else shutil.which("openssl")
    if openssl is None:
        raise EnvironmentFailure("build_chain.sh needs openssl, which is not installed", hint="install openssl")
    (home / _TOOLS / _OPENSSL_NAME).symlink_to(openssl)
    account = tools / _ACCOUNT_SCRIPT
    if account.is_file():
        (home / _TOOLS / _ACCOUNT_SCRIPT).symlink_to(account)
    else:
        _write_account_script(home / _TOOLS, scratch)
    return home


def _write_account_script(tools: Path, scratch: Path) -> None:
    """A script as build_chain.sh expects get_account.sh: it leaves accounts/ and prints a line whose fifth word is the address."""
    key = make_signing_key()
    address = address_of(key.public)
    ready = scratch / "account"
    ready.mkdir()
    for name, content in ((f"{address}.pem", key.key), (f"{address}.pem.pub", key.public_pem), (f"{address}.public.pem", key.public_pem)):
        (ready / name).write_bytes(content)
        (ready / name).chmod(0o600 if name == f"{address}.pem" else 0o644)
    text = f"cp -rp {shlex.quote(str(ready))} accounts\necho '[INFO] Account Address : {address}'\n"
    (tools / _ACCOUNT_SCRIPT).write_text(text, encoding="utf-8")


def _edit_node(plan: ChainPlan, node: NodePlan, target: Path) -> None:
    spec = plan.spec
    home = target / node.place
    changes: dict[tuple[str, str], str] = {
        ("p2p", "listen_ip"): node.listen_ip,
        ("rpc", "listen_ip"): node.listen_ip,
        ("rpc", "enable_ssl"): str(spec.rpc_tls).lower(),
        ("web3_rpc", "listen_ip"): node.listen_ip,
        ("web3_rpc", "enable"): str(spec.web3_enabled).lower(),
        ("web3_rpc", "listen_port"): str(node.web3_port),
        ("consensus", "min_seal_time"): str(spec.min_seal_time_ms),
    }
    if spec.log_level != LOG_LEVEL_DEFAULT:
        changes["log", "level"] = spec.log_level
    if spec.pipeline_blocks != PIPELINE_DEFAULT_BLOCKS:
        changes["consensus", "pipeline_size"] = str(spec.pipeline_blocks)
    if spec.checkpoint_timeout_ms != CHECKPOINT_TIMEOUT_DEFAULT_MS:
        changes["consensus", "checkpoint_timeout"] = str(spec.checkpoint_timeout_ms)
    edit_file(home / "config.ini", changes)
    genesis = {
        ("web3", "chain_id"): str(spec.web3_chain_id),
        ("consensus", "block_tx_count_limit"): str(spec.block_tx_count_limit),
        ("consensus", "leader_period"): str(spec.leader_period_blocks),
        ("tx", "gas_limit"): str(spec.gas_limit),
    }
    for each in plan.nodes if spec.weights else ():
        node_id = (target / each.place / "conf/node.nodeid").read_text(encoding="utf-8").strip()
        genesis["consensus", f"node.{each.index}"] = f"{node_id}: {each.weight}"
    edit_file(home / "config.genesis", genesis)
