"""A campaign on a Dask cluster of real worker processes: same results as here, and a worker that dies loses nothing."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fiscotool.cli import campaign_dask
from fiscotool.cli.campaign import Campaign, run_campaign
from fiscotool.errors import EnvironmentFailure, UsageError
from tests.support.ports import free_ports

FIXED: dict[str, Any] = {"dialect": "fisco3", "quirks": (), "ticks": 400, "node_count": 4}


def say_nothing(_campaign: Campaign) -> None:
    """No progress."""


def test_a_cluster_gives_what_one_process_gives_although_a_worker_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(campaign_dask, "CONNECT_S", 60.0)
    state = tmp_path / "campaign.jsonl"
    seen: list[int] = []
    seeds = range(24)
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1")
    with cluster:

        def report(campaign: Campaign) -> None:
            if not seen:
                os.kill(cluster.workers[0].pid, signal.SIGKILL)
            seen.append(len(campaign.lines))

        spread = run_campaign(
            seeds, FIXED, jobs=1, state=state, report=report, spread=partial(campaign_dask.results_of, cluster.scheduler_address)
        )
        assert len(seen) == 3
        again = run_campaign(
            seeds, FIXED, jobs=1, state=state, report=report, spread=partial(campaign_dask.results_of, cluster.scheduler_address)
        )
        assert len(seen) == 3, "everything was known already"
    here = run_campaign(seeds, FIXED, jobs=1, state=None, report=say_nothing)
    assert spread.lines == here.lines == again.lines
    assert len(spread.lines) == 24


def test_no_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(campaign_dask, "CONNECT_S", 0.2)
    with pytest.raises(EnvironmentFailure, match="no Dask scheduler answers"):
        list(campaign_dask.results_of(f"tcp://127.0.0.1:{free_ports(1)[0]}", [[1]], FIXED))


def test_without_dask_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr(campaign_dask, "import_module", missing)
    with pytest.raises(UsageError, match="not installed"):
        list(campaign_dask.results_of("tcp://127.0.0.1:1", [[1]], FIXED))
