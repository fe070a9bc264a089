"""The page of mutants is what the last run found, of exactly the mutants there are."""

from __future__ import annotations

import json
import re

import pytest

from fiscotool.mutants.mutant import Kind
from fiscotool.mutants.registry import MUTANTS
from fiscotool.trials.numbers import METHODS, Numbers, numbers_from_json, without_alarms
from fiscotool.trials.page import by_place, generated, is_killed, page_with
from fiscotool.trials.reasons import ARGUED
from fiscotool.trials.verdict import Result, Verdict
from tests.support.shared import ROOT

DOCS = ROOT / "docs"


def numbers() -> Numbers:
    return numbers_from_json(json.loads((DOCS / "mutants.json").read_text(encoding="utf-8")))


def test_the_page_is_written_from_the_numbers() -> None:
    text = (DOCS / "mutants.md").read_text(encoding="utf-8")
    assert page_with(text, numbers()) == text, "write it anew: python scripts/run_mutants.py --page-only"


def test_the_page_lists_exactly_the_registry() -> None:
    table = generated(numbers()).partition("## Mutants by methods")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (\S+) \| ", table, flags=re.MULTILINE)
    assert listed[0] == "mutant"
    assert listed[1:] == list(MUTANTS)


def test_every_mutant_was_tried_and_nothing_else() -> None:
    tried = set(by_place(numbers()))
    assert tried <= {(name, method) for name in MUTANTS for method in METHODS}
    assert {name for name, _ in tried} == set(MUTANTS)


def test_every_safety_mutant_of_the_core_was_noticed_and_what_was_not_is_argued() -> None:
    place = by_place(numbers())
    left = {name: mutant for name, mutant in MUTANTS.items() if not is_killed(place, name)}
    left = {name: mutant for name, mutant in left.items() if not mutant.wire_switch}
    assert set(left) <= set(ARGUED)
    assert not [name for name, mutant in left.items() if mutant.kind is Kind.SAFETY]


@pytest.mark.parametrize(("by", "result", "kept"), [(("a", "b"), Result.KILLED, ("b",)), (("a",), Result.SURVIVED, ())])
def test_what_is_said_of_a_clean_chain_counts_for_nothing(by: tuple[str, ...], result: Result, kept: tuple[str, ...]) -> None:
    verdict = without_alarms(Verdict("M1", "traces", Result.KILLED, by), ["a"])
    assert (verdict.result, verdict.by) == (result, kept)
