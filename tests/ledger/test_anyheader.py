"""Headers of either generation: told apart, hashed, verified."""

from __future__ import annotations

from typing import Any

import pytest

from fiscotool.ledger.anyheader import Generation, NationalCrypto, generation_of, read_any_header
from fiscotool.ledger.errors import LedgerFormatError
from fiscotool.rpc.dialect import Dialect
from tests.ledger.samples import recorded_headers
from tests.ledger.samples2 import recorded_headers2


@pytest.mark.parametrize(("generation", "place"), [(Generation.FISCO2, 500), (Generation.FISCO3, 500)])
def test_a_recorded_header_of_either_generation_is_verified(generation: Generation, place: int) -> None:
    shown = (recorded_headers2() if generation is Generation.FISCO2 else recorded_headers())[place]
    seen = read_any_header(shown)
    assert seen.generation is generation
    assert seen.number == shown["number"]
    assert seen.is_hash_right
    assert len(seen.verdicts()) >= 3
    assert all(is_valid for _, is_valid in seen.verdicts())
    assert seen.signed_weight >= seen.quorum_weight == 3


def test_a_told_hash_is_only_a_claim() -> None:
    shown = recorded_headers2()[500] | {"gasUsed": "0x1"}
    seen = read_any_header(shown)
    assert not seen.is_hash_right
    assert not any(is_valid for _, is_valid in seen.verdicts())
    assert seen.signed_weight == 0


def test_a_block_without_sealers_is_judged_by_the_list_given() -> None:
    shown = recorded_headers()[500]
    own = read_any_header(shown)
    bare = read_any_header(shown | {"sealerList": []})
    assert not any(is_valid for _, is_valid in bare.verdicts()), "without a list, and with another hash"
    assert not any(is_valid for _, is_valid in bare.verdicts(own.header.sealer_list)), "the list was part of what was signed"


def test_generations_are_called_as_dialects_are() -> None:
    assert {str(one) for one in Generation} == {str(Dialect.FISCO2), str(Dialect.FISCO3)}


@pytest.mark.parametrize("told", [{}, {"number": 1}, [], None, "block"])
def test_what_is_no_block_is_said_to_be_none(told: Any) -> None:
    with pytest.raises(LedgerFormatError, match="no block"):
        generation_of(told)


@pytest.mark.parametrize("headers", [recorded_headers, recorded_headers2])
def test_national_cryptography_is_named_instead_of_called_a_forgery(headers: Any) -> None:
    shown = headers()[500]
    entry = shown["signatureList"][0] | {"signature": "0x" + "ab" * 128}
    with pytest.raises(NationalCrypto, match="SM2"):
        read_any_header(shown | {"signatureList": [entry]})
