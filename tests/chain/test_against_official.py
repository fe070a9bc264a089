"""Our directories beside recorded ones of the official scripts: file by file, key by key; every difference is on the list.

Reference: recordings/v2/deploy and recordings/v3/deploy (tree.txt, generated/); chain.plan.DIFFERENCES has the reasons.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from fiscotool.chain.layout import HostGroup
from fiscotool.chain.plan import DIFFERENCES, plan_chain
from fiscotool.chain.spec import ChainSpec
from fiscotool.chain.write import write_chain
from tests.chain.test_write import read_ini
from tests.support.shared import ROOT, shared

# What differs from chain to chain: keys, addresses of accounts, when the genesis was made.
OF_A_CHAIN = {"auth_admin_account", "timestamp"}
KEYED = re.compile(r"node\.\d+")


@pytest.fixture(scope="module", params=[2, 3], ids=["2.x", "3.x"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """A chain of four nodes as the recorded one was asked for, made natively for a real node."""
    place = tmp_path_factory.mktemp(f"v{request.param}")
    binary = place / "binary"
    binary.write_text("#!/bin/sh\necho 'FISCO BCOS Version : 3.16.4'\n")
    hosts = (HostGroup("127.0.0.1", 4),)
    if request.param == 2:
        spec = ChainSpec(hosts, chain_id="1", group_id="1", version="2.9.0", engine="fisco", binary=binary)
    else:
        spec = ChainSpec(hosts, engine="fisco", binary=binary)
    write_chain(plan_chain(spec), place / "nodes", check_ports=False)
    return request.param, place / "nodes"


def recorded_tree(generation: int) -> set[str]:
    """Files and directories of tree.txt, as paths below the chain's root."""
    found: set[str] = set()
    parents: list[str] = []
    for line in shared(f"recordings/v{generation}/deploy/tree.txt").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"((?:│\s{3}|\s{4})*)[├└]── (?:\[\s*\d+\]\s+)?(\S+)", line.replace("\xa0", " "))
        if match:
            del parents[len(match[1]) // 4 :]
            parents.append(match[2])
            found.add("/".join(parents))
    assert len(found) > 60
    return found


def without_names(paths: set[str]) -> set[str]:
    return {re.sub(r"0x[0-9a-f]{40}", "ADMIN", path) for path in paths}


def is_listed(generation: int, file: str, section: str = "", key: str = "") -> bool:
    """Whether DIFFERENCES has an entry for it: `<generation>.x <file>[ [section][ key]]`, with wildcards."""
    words = [f"{generation}.x {file}", f"{generation}.x {file} [{section}]", f"{generation}.x {file} [{section}] {key}"]
    return any(fnmatch(word, pattern.replace("[", "[[]")) for pattern in DIFFERENCES for word in words)


def test_the_same_files(made: tuple[int, Path]) -> None:
    generation, root = made
    ours = without_names({path.relative_to(root).as_posix() for path in root.rglob("*")})
    theirs = without_names(recorded_tree(generation))
    different = {path for path in ours ^ theirs if not is_listed(generation, path)}
    assert not different


def configs(generation: int) -> list[tuple[str, Path]]:
    """(path below a node's directory, recorded file) of every configuration file that was recorded, from every node it was recorded of."""
    base = shared(f"recordings/v{generation}/deploy/generated")
    nodes = base / "127.0.0.1" if generation == 2 else base
    return [
        (f"127.0.0.1/{path.relative_to(nodes).as_posix()}", path)
        for path in sorted(nodes.rglob("*"))
        if path.suffix in {".ini", ".genesis"} and "as_run" not in path.name
    ]


def test_the_same_keys_and_values(made: tuple[int, Path]) -> None:
    generation, root = made
    compared = 0
    unlisted: list[str] = []
    for place, recorded in configs(generation):
        ours, theirs = read_ini(root / place), read_ini(recorded)
        name = place.split("/", 2)[2]
        for section, key in {(each, key) for ini in (ours, theirs) for each in ini for key in (*ini[each], "")}:
            if not key:
                same = (section in ours) == (section in theirs)
            elif key in OF_A_CHAIN or (KEYED.fullmatch(key) and section == "consensus"):
                same = (key in ours.get(section, {})) == (key in theirs.get(section, {}))
            else:
                same = ours.get(section, {}).get(key) == theirs.get(section, {}).get(key)
            compared += 1
            if not same and not is_listed(generation, name, section, key):
                unlisted.append(f"{place} [{section}] {key}: {ours.get(section, {}).get(key)!r}, {theirs.get(section, {}).get(key)!r}")
    assert compared > 200
    assert not unlisted, "\n".join(unlisted)


def test_the_sealers_of_the_genesis_are_the_nodes_in_order(made: tuple[int, Path]) -> None:
    generation, root = made
    name = "conf/group.1.genesis" if generation == 2 else "config.genesis"
    consensus = read_ini(root / "127.0.0.1/node2" / name)["consensus"]
    ids = [(root / f"127.0.0.1/node{k}/conf/node.nodeid").read_text().strip() for k in range(4)]
    assert [consensus[f"node.{k}"].partition(":")[0] for k in range(4)] == ids


def test_every_difference_is_one(made: tuple[int, Path]) -> None:
    """Nothing stays on the list that is not different any more; scripts are of our own making, so their texts are not compared."""
    generation, root = made
    ours = without_names({path.relative_to(root).as_posix() for path in root.rglob("*")})
    theirs = without_names(recorded_tree(generation))
    seen = set(ours ^ theirs)
    for place, recorded in configs(generation):
        mine, other = read_ini(root / place), read_ini(recorded)
        name = place.split("/", 2)[2]
        for section in {*mine, *other}:
            seen |= {
                f"{name} [{section}] {key}"
                for key in {*mine.get(section, {}), *other.get(section, {})}
                if mine.get(section, {}).get(key) != other.get(section, {}).get(key)
            }
    entries = [entry.removeprefix(f"{generation}.x ") for entry in DIFFERENCES if entry.startswith(f"{generation}.x ")]
    settings = [entry for entry in entries if "[" in entry and "fiscotool" not in entry]
    assert settings
    idle = [entry for entry in settings if not any(fnmatch(found, entry.replace("[", "[[]")) for found in seen)]
    assert not idle


def test_every_difference_has_its_reason() -> None:
    for entry, reason in DIFFERENCES.items():
        assert re.match(r"(2\.x|3\.x) \S", entry), entry
        assert len(reason.split()) >= 5, entry


def test_nodes_connect_to_the_recorded_addresses(made: tuple[int, Path]) -> None:
    generation, root = made
    if generation == 3:
        recorded = shared("recordings/v3/deploy/generated/node1/nodes.json").read_text()
        assert (root / "127.0.0.1/node1/nodes.json").read_text().split() == recorded.split()
    else:
        p2p = read_ini(shared("recordings/v2/deploy/generated/127.0.0.1/node1/config.ini"))["p2p"]
        assert {key: value for key, value in read_ini(root / "127.0.0.1/node1/config.ini")["p2p"].items() if key.startswith("node.")} == {
            key: value for key, value in p2p.items() if key.startswith("node.")
        }


def test_the_page_lists_every_difference_with_its_reason() -> None:
    page = (ROOT / "docs/provisioning.md").read_text(encoding="utf-8").replace("\\*", "*")
    missing = [entry for entry, reason in DIFFERENCES.items() if f"| `{entry}` | {reason} |" not in page]
    assert not missing
