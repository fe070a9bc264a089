"""Quorum certificates with real cryptography: signed, aggregated, verified, and carried through a chain of four replicas."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from dataclasses import replace
from typing import Any

import pytest

from fiscotool.pbft import effects as do
from fiscotool.pbft import events as ev
from fiscotool.pbft.rules import Rules
from fiscotool.pbft.types import Height, NodeIndex, View
from fiscotool.protocols.hotstuff.messages import Certificate, Generic, NewView, Vote
from fiscotool.protocols.registry import HOTSTUFF
from fiscotool.protocols.words import received
from fiscotool.sim import chain
from tests.protocols.hand import block, digest

bls = pytest.importorskip("fiscotool.protocols.bls")
pytest.importorskip("py_arkworks_bls12381")


@pytest.fixture(scope="module")
def keys() -> list[Any]:
    return [bls.SecretKey(bytes([index]) * 32) for index in range(4)]


def votes(keys: list[Any], signers: tuple[int, ...], name: str = "a", view: int = 1) -> list[Vote]:
    return [keys[each].sign_vote(Vote(View(view), NodeIndex(each), Height(1), digest(name))) for each in signers]


def certified(shares: list[Vote]) -> Certificate:
    first = shares[0]
    signers = tuple(vote.sender for vote in shares)
    return Certificate(first.view, first.digest, signers, tuple(vote.signature for vote in shares))


def test_an_aggregate_is_96_bytes_and_proves_its_signers(keys: list[Any]) -> None:
    public = [key.public for key in keys]
    whole = bls.aggregate(certified(votes(keys, (0, 1, 3))))
    assert [len(proof) for proof in whole.proofs] == [bls.SHARE_BYTES]
    assert bls.is_certificate_valid(whole, public)
    assert not bls.is_certificate_valid(replace(whole, signers=(NodeIndex(0), NodeIndex(1), NodeIndex(2))), public)
    assert not bls.is_certificate_valid(replace(whole, signers=whole.signers[:2]), public)
    assert not bls.is_certificate_valid(replace(whole, view=View(2)), public), "shares sign the view"
    assert not bls.is_certificate_valid(replace(whole, digest=digest("b")), public)
    assert whole == certified(votes(keys, (0, 1, 3))), "the core sees the same value"


def test_one_wrong_share_spoils_the_aggregate_and_is_found(keys: list[Any]) -> None:
    public = [key.public for key in keys]
    shares = votes(keys, (0, 1, 2))
    shares[1] = replace(shares[1], signature=votes(keys, (1,), "b")[0].signature)
    assert not bls.is_certificate_valid(bls.aggregate(certified(shares)), public)
    assert bls.wrong_shares(shares, public) == (1,)


@pytest.mark.parametrize("proof", [b"", b"x" * 96, b"\xc0" + bytes(95), bytes(96), b"\xff" * 96])
def test_nonsense_is_not_valid_and_does_not_raise(keys: list[Any], proof: bytes) -> None:
    public = [key.public for key in keys]
    good = certified(votes(keys, (0, 1, 2)))
    assert not bls.is_certificate_valid(replace(good, proofs=(proof,)), public)
    assert not bls.is_certificate_valid(replace(bls.aggregate(good), signers=(NodeIndex(0), NodeIndex(1), NodeIndex(9))), public)
    assert not bls.is_certificate_valid(replace(good, proofs=()), public)
    with pytest.raises(ValueError, match="one share of each signer"):
        bls.aggregate(replace(good, proofs=(proof, proof, proof)))


def test_a_key_made_of_other_keys_has_no_proof_of_possession(keys: list[Any]) -> None:
    """The rogue key g*x - pk0 would let its owner sign for both; the proof of possession keeps it out."""
    import py_arkworks_bls12381 as curve

    assert all(bls.owns_key(key.public) for key in keys)
    secret = bls.SecretKey(b"rogue" * 8)
    victim = curve.G1Point.from_compressed_bytes(keys[0].public.point)
    rogue = curve.G1Point.from_compressed_bytes(secret.public.point) - victim
    forged = bls.PublicKey(bytes(rogue.to_compressed_bytes()), secret.public.possession)
    vote = secret.sign_vote(Vote(View(1), NodeIndex(1), Height(1), digest("a")))
    both = Certificate(View(1), digest("a"), (NodeIndex(0), NodeIndex(1)), (vote.signature,))
    assert bls.is_certificate_valid(both, [keys[0].public, forged]), "without the proof the attack works"
    assert not bls.owns_key(forged)


def test_a_secret_does_not_show(keys: list[Any]) -> None:
    assert repr(keys[0]).startswith("SecretKey(public=")
    assert bls.SecretKey(b"\x00" * 32).public == keys[0].public


def test_four_replicas_commit_with_real_certificates(keys: list[Any]) -> None:
    """A driver signs votes, aggregates certificates before they leave, and verifies both before they become events."""
    public = [key.public for key in keys]
    rules, genesis = Rules((1,) * 4), chain.genesis_hash()
    states: list[Any] = [HOTSTUFF.initial_state(rules=rules, me=NodeIndex(i), height=Height(0), block_hash=genesis) for i in range(4)]
    queue: deque[tuple[int, ev.Event]] = deque((index, event) for index in range(4) for event in (ev.Started(), ev.PoolSize(0)))
    verified: set[Certificate] = set()
    rejected = sealed = 0

    def leave(message: Any, sender: int) -> Any:
        if isinstance(message, Vote):
            return keys[sender].sign_vote(message)
        if isinstance(message, Generic) and len(message.node.justify.proofs) > 1:
            return replace(message, node=replace(message.node, justify=bls.aggregate(message.node.justify)))
        return message

    def arrive(message: Any) -> bool:
        if isinstance(message, Vote):
            return bool(bls.is_vote_valid(message, public[message.sender]))
        certificate = message.node.justify if isinstance(message, Generic) else message.justify
        if certificate.signers and certificate not in verified:
            if not bls.is_certificate_valid(certificate, public):
                return False
            verified.add(certificate)
        return True

    while queue and min(state.height for state in states) < 1:
        index, event = queue.popleft()
        states[index], effects = HOTSTUFF.step(states[index], event)
        for effect in effects:
            if isinstance(effect, do.Broadcast | do.Send):
                told: Any = leave(effect.message, index)
                assert isinstance(told, Generic | Vote | NewView)
                forged = replace(told, signature=votes(keys, (0,), "forged")[0].signature) if isinstance(told, Vote) else None
                rejected += forged is not None and not arrive(forged)
                if arrive(told):
                    targets = range(4) if isinstance(effect, do.Broadcast) else [effect.to]
                    queue.extend((to, received(told)) for to in targets)
            elif isinstance(effect, do.SealRange) and effect.first <= effect.last and not sealed:
                sealed = 1
                queue.append((index, ev.Proposed(block(1, sealer=index))))
            elif isinstance(effect, do.VerifyProposal):
                queue.append((index, ev.Verified(effect.proposal.index, effect.proposal.digest, is_valid=True)))
            elif isinstance(effect, do.Execute):
                answer = ev.Executed(effect.proposal.index, effect.proposal.digest, chain.execute(effect.proposal, genesis))
                queue.append((index, answer))
            elif isinstance(effect, do.CommitBlock):
                assert len({proof for _, proof in effect.signatures}) == 1, "one aggregate for all signers"
                queue.append((index, ev.LedgerAdvanced(effect.index, effect.block_hash, rules, NodeIndex(index))))
    assert [state.height for state in states] == [1] * 4
    assert len(verified) >= 3
    assert rejected > 4


def test_the_library_is_loaded_only_when_it_is_used() -> None:
    script = "import sys, fiscotool.protocols.bls, fiscotool.sim.costs, fiscotool.cli.compare; print('py_arkworks_bls12381' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout == "False\n"


def test_measured_times_are_positive_and_of_the_right_kind() -> None:
    from fiscotool.cli.compare_crypto import measure_crypto
    from fiscotool.sim.prices import Prices

    times = measure_crypto()
    assert set(times) == {"sign_s", "verify_s", "bls_sign_s", "bls_add_s", "bls_verify_s"}
    assert all(value > 0 for value in times.values())
    assert times["bls_verify_s"] > times["verify_s"], "two pairings against one point multiplication"
    assert Prices(**times).bls_add_s == times["bls_add_s"]  # type: ignore[arg-type]
