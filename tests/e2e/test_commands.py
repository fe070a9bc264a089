"""Every command on a running chain, as a user types it: what it says, its --json, its exit code, and what it says to mistakes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fiscotool.cli import main as door
from tests.e2e.user import User, chain_of, wait_until

pytestmark = [pytest.mark.devnet]

QUIET = {"node0", "node1", "node2", "node3"}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory, engine: tuple[str, ...]) -> Iterator[User]:
    with chain_of(tmp_path_factory.mktemp("commands"), *engine) as found:
        yield found


def test_deploy_tells_what_it_made_and_what_comes_next(tmp_path: Path) -> None:
    user = User(tmp_path)
    done = user.run("deploy", "-l", "127.0.0.1:4")
    assert "engine: embedded, because no fisco-bcos binary was given" in done.err
    assert done.err.endswith("next: fiscotool start --all\n")
    assert [line.split()[0] for line in done.out.splitlines()] == ["node", "node0", "node1", "node2", "node3"]
    assert (tmp_path / "nodes" / "127.0.0.1" / "node3" / "config.genesis").is_file()
    again = user.run("deploy", "-l", "127.0.0.1:4", code=3)
    assert "already holds a chain" in again.err
    assert "fiscotool destroy" in again.err
    other = user.run("deploy", "-l", "127.0.0.1:4", "-o", "other", "--json")
    assert {node["name"] for node in other.json["nodes"]} == QUIET
    assert other.err.endswith("next: fiscotool start --all --dir other\n")
    assert "removed nodes" in user.run("destroy", "--yes").err
    assert not (tmp_path / "nodes").exists()


def test_status_shows_every_node_and_what_it_means(user: User) -> None:
    rows = user.status()
    assert set(rows) == QUIET
    assert all(row["state"] == "running" and row["pid"] and row["timeout"] is False and row["peers"] == 4 for row in rows.values())
    assert [row["is_leader"] for row in rows.values()].count(True) == 1
    done = user.run("status")
    assert "4 of 4 nodes take part, 3 are needed" in done.err
    assert len(done.out.splitlines()) == 5


def test_transactions_are_sent_and_found_again(user: User) -> None:
    told = user.run("send", "--count", 5, "--rate", 50, "--json").json
    assert (told["submitted"], told["committed"], told["failed"], told["unknown"]) == (5, 5, 0, 0)
    assert 0 < told["latency_s"]["p50"] <= told["latency_s"]["max"] < 10
    one = told["transactions"][0]
    wait_until(lambda: user.run("query", "height", "--json").json >= one["block"], within_s=60, what="node0 has the block")
    assert user.run("query", "receipt", one["hash"], "--json").json["status"] == 0
    assert user.run("query", "tx", one["hash"], "--json").json["tx_hash"].removeprefix("0x") == one["hash"]
    assert one["hash"] in user.run("query", "receipt", one["hash"]).out
    block = user.run("query", "block", one["block"], "--json").json
    assert user.run("query", "block", block["block_hash"], "--json").json["number"] == one["block"]
    lone = user.run("send")
    assert lone.out.startswith("submitted 1  committed 1  failed 0  unknown 0\n")
    assert "is in block" in lone.out


@pytest.mark.parametrize(
    ("what", "member", "shown"),
    [
        pytest.param("consensus", "quorum_weight", "quorum weight", id="consensus"),
        pytest.param("sync", "known_highest", "highest known", id="sync"),
        pytest.param("peers", "me", "itself", id="peers"),
        pytest.param("total", "transaction_count", "transaction_count", id="total"),
        pytest.param("config tx_count_limit", "value", "1000", id="config"),
        pytest.param("block 0", "number", "extra data", id="block"),
    ],
)
def test_query_answers_in_words_and_in_json(user: User, what: str, member: str, shown: str) -> None:
    assert member in user.run("query", *what.split(), "--node", "node2", "--json").json
    text = user.run("query", *what.split(), "--node", "node2").out
    assert shown in text
    assert max(len(line) for line in text.splitlines()) < 200, "a line that fits a wide terminal"


def test_query_names_nodes_not_keys(user: User) -> None:
    for what in ("consensus", "sealers", "peers"):
        text = user.run("query", what).out
        assert all(name in text for name in QUIET), what
    assert "3.16" in user.run("query", "version").out
    assert user.run("query", "observers").out == "(none)\n"
    assert int(user.run("query", "view").out) >= 0
    assert user.run("query", "pending").out == "0\n"
    assert user.run("query", "height", "--node", "@leader").out == user.run("query", "height", "--node", "@follower").out


def test_rpc_passes_any_method_on(user: User) -> None:
    block = user.run("rpc", "getBlockByNumber", "group0", "", "0", "false", "true").json
    assert block["number"] == 0
    assert int(user.run("rpc", "--web3", "eth_blockNumber").json, 16) >= 0
    assert user.run("rpc", "--web3", "--node", "node1", "eth_chainId").json == "0x4ee8"
    refused = user.run("rpc", "noSuchMethod", code=4)
    assert "-32601" in refused.err
    assert "hint: " in refused.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param("query block 999999", 4, "no such block", id="a block that is not there"),
        pytest.param("query block nine", 2, "not a block number", id="no number"),
        pytest.param("query tx 0x12", 4, "no such transaction", id="an unknown transaction"),
        pytest.param("query height 3", 2, "takes no argument", id="one argument too many"),
        pytest.param("query weather", 2, "weather", id="an unknown question"),
        pytest.param("query height --node node9", 2, "has no node 'node9'", id="an unknown node"),
        pytest.param("stop", 2, "which node?", id="no node named"),
        pytest.param("stop node9", 2, "its nodes are node0", id="an unknown node to stop"),
        pytest.param("stop node0 --all", 2, "exclude each other", id="names and --all"),
        pytest.param("status --dir nowhere", 3, "does not exist", id="a directory that is not there"),
        pytest.param("status --dir nodes/127.0.0.1", 3, "one host's directory", id="a host's directory"),
        pytest.param("status --dir nodes/127.0.0.1/node0", 3, "single node's directory", id="a node's directory"),
        pytest.param("destroy --yes --dir .", 3, "no chain in", id="nothing of ours to destroy"),
        pytest.param("send --rate -1", 2, "--rate", id="a negative rate"),
        pytest.param("observe --out r.jsonl --for soon", 2, "not a duration", id="no duration"),
        pytest.param("check nothing.jsonl", 2, "there is no such recording", id="no recording"),
        pytest.param("drill run kill-all", 2, "kill-leader", id="an unknown drill"),
    ],
)
def test_a_mistake_is_told_with_the_next_step(
    user: User, words: str, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(user.place)
    assert door.run(words.split()) == code
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("error: ")
    assert "hint: " in err
    assert "Traceback" not in err
    assert out == ""


def test_logs_of_one_node_and_of_all(user: User) -> None:
    lines = user.run("logs", "-n", 3, "node1").out.splitlines()
    assert len(lines) == 3
    assert all(line.split("|")[0] in {"info", "warning", "error", "debug", "trace"} for line in lines)
    everybody = user.run("logs", "-n", 2, "--json").json_lines
    assert [each["node"] for each in everybody] == [name for name in sorted(QUIET) for _ in range(2)]


def test_watch_tells_a_line_for_every_look(user: User) -> None:
    looks = user.run("watch", "--for", 1, "--every", 0.2, "--json").json_lines
    assert len(looks) >= 2
    assert {row["node"] for row in looks[0]["nodes"]} == QUIET
    assert "node0=h" in user.run("watch", "--for", 0.1).out


def test_observe_check_and_report(user: User) -> None:
    with user.typing("observe", "--out", "seen.jsonl", "--for", "3s", "--every", "100ms") as observer:
        wait_until((user.place / "seen.jsonl").exists, within_s=60, what="the recording begins")
        user.run("send", "--count", 4, "--rate", 4)
        out, err = observer.communicate(timeout=30)
    assert (observer.returncode, out) == (0, "")
    assert "next: fiscotool check seen.jsonl" in err
    judged = user.run("check", "seen.jsonl", "--json").json
    assert judged["verdict"] == "holds"
    assert {finding["verdict"] for finding in judged["findings"]} <= {"holds", "inconclusive"}
    assert "✔ holds" in user.run("check", "seen.jsonl").out
    assert "✔ 成立" in user.run("check", "seen.jsonl", "--lang", "zh").out
    files = user.run("report", "seen.jsonl", "--out", "paper", "--json").json["files"]
    assert files == [f"paper/{name}" for name in ("report.html", "report.md", "report.json", "junit.xml")]
    assert json.loads((user.place / "paper" / "report.json").read_text(encoding="utf-8"))["verdict"] == "holds"
    assert "never overwritten" in user.run("observe", "--out", "seen.jsonl", "--for", "1s", code=2).err
    blocked = user.place / "a-file"
    blocked.write_text("", encoding="utf-8")
    assert "cannot be written" in user.run("report", "seen.jsonl", "--out", "a-file/below", code=3).err


def test_a_recording_of_nothing_is_inconclusive(user: User) -> None:
    (user.place / "short.jsonl").write_text(
        (user.place / "seen.jsonl").read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8"
    )
    assert "? inconclusive" in user.run("check", "short.jsonl", code=5).out
    assert user.run("report", "short.jsonl", "--out", "short", code=5).err == ""


def test_a_recording_is_judged_violated_when_a_node_told_another_block(user: User) -> None:
    lines = [json.loads(line) for line in (user.place / "seen.jsonl").read_text(encoding="utf-8").splitlines()]
    blocks = {line["words"]: line["block"] for line in lines if "block" in line}
    top = max(blocks[line["words"]]["number"] for line in lines if line["kind"] == "block" and line["node"] == "node2")
    forged = []
    for line in lines:
        told = dict(line)
        # Nodes may tell the same block in other words: each has the signatures that reached it first.
        if line["kind"] == "block" and blocks[line["words"]]["number"] == top:
            told = {key: value for key, value in line.items() if key != "number"} | {"block": blocks[line["words"]]}
            if line["node"] == "node2":
                told |= {"words": "f" * 64, "block": {**told["block"], "hash": "0x" + "ab" * 32}}
        forged.append(json.dumps(told))
    (user.place / "forged.jsonl").write_text("\n".join(forged) + "\n", encoding="utf-8")
    done = user.run("check", "forged.jsonl", code=1)
    assert "✘ violated" in done.out
    assert f"Height {top}: " in done.out
    assert "node2" in done.out


def test_one_node_dies_freezes_and_comes_back(user: User) -> None:
    leader = next(name for name, row in user.status().items() if row["is_leader"])
    assert user.run("kill", "@leader", "--json").json[0]["node"] == leader
    assert user.states()[leader] == "stopped"
    done = user.run("status")
    assert "3 of 4 nodes take part, 3 are needed; 1 does not" in done.err
    assert "starts from a whole chain" in user.run("drill", "run", "kill-leader", code=3).err
    assert "does not run" in user.run("pause", leader, code=3).err
    assert f"the others wait for {leader}, which does not answer" in user.run("pause", "@leader", code=3).err
    assert user.status()[next(name for name in sorted(QUIET) if name != leader)]["leader"] == leader
    (follower,) = (row["node"] for row in user.run("pause", "@follower", "--json").json)
    assert follower != leader
    assert user.states()[follower] == "paused"
    began_s = time.monotonic()
    user.run("status")
    assert time.monotonic() - began_s < 24, "a frozen node delays nobody"
    assert "2 of 4 nodes answer and 3 are needed" in user.run("status").err
    assert "resumed" in user.run("resume", follower).out
    assert "started" in user.run("start", leader).out
    assert "already running" in user.run("start", leader).out
    wait_until(lambda: user.run("send", code=None, within_s=60).code == 0, within_s=60, what="a transaction is committed")
    user.await_whole()


def test_restart_and_stop_are_confirmed(user: User) -> None:
    before = user.status()["node1"]["pid"]
    user.run("restart", "node1")
    assert user.status()["node1"]["pid"] != before
    user.run("stop", "--all")
    assert set(user.states().values()) == {"stopped"}
    assert "no node runs; start them: fiscotool start --all" in user.run("status").err
    for words in ("query height", "rpc getBlockNumber group0", "send"):
        refused = user.run(*words.split(), code=4)
        assert "start them: fiscotool start --all" in refused.err
    assert "no node answers who leads" in user.run("kill", "@leader", code=3).err
    assert user.run("stop", "--all").out.count("already stopped") == 4
    assert "node0=stopped" in user.run("watch", "--for", 0.1).out


def test_the_question_of_destroy_can_be_answered_no(user: User) -> None:
    for answer in ("n\n", "\n"):
        assert "was left as it is" in user.run("destroy", answer=answer, code=3).err
    assert user.run("destroy", answer="", code=130).err.endswith("error: interrupted\n")
    assert set(user.states().values()) == {"stopped"}
