"""Keys and certificates as openssl sees them. Reference: spec 3.x 4.4; recordings/v3/deploy/generated/node0/conf."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fiscotool.chain.certs import address_of
from fiscotool.chain.model import Chain
from tests.support.shared import shared


def openssl(*words: str | Path) -> str:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_certificate_is_accepted_by_openssl_under_strict_rules(pristine: Chain) -> None:
    ca = pristine.root / "ca/ca.crt"
    certificates = [*pristine.root.rglob("ssl.crt"), *pristine.root.rglob("sdk.crt")]
    assert len(certificates) == 5
    told = openssl("verify", "-x509_strict", "-CAfile", ca, *certificates)
    assert told.count(": OK") == 5
    assert {path.read_bytes() for path in pristine.root.rglob("ca.crt")} == {ca.read_bytes()}


def subject_shape(certificate: Path) -> tuple[str, ...]:
    """Subject, issuer, key size and signature of a certificate, with its random tag left out."""
    text = openssl("x509", "-noout", "-text", "-nameopt", "oneline", "-in", certificate)
    lines = (line.strip() for line in text.splitlines())
    kept = [re.sub(r"[0-9a-f]{8}", "TAG", line) for line in lines if re.match(r"Subject:|Issuer:|Public-Key|Signature Algorithm|CA:", line)]
    return tuple(kept)


def test_certificates_have_the_shape_of_the_official_ones(pristine: Chain) -> None:
    official = shared("recordings/v3/deploy/generated/node0/conf/ssl.crt")
    assert subject_shape(pristine.nodes[0].directory / "conf/ssl.crt") == subject_shape(official)
    assert subject_shape(pristine.nodes[0].sdk_directory / "sdk.crt") == subject_shape(official)
    authority = subject_shape(pristine.root / "ca/ca.crt")
    assert [line for line in authority if not line.startswith("CA:")] == list(subject_shape(official.parent / "ca.crt"))
    assert [line for line in authority if line.startswith("CA:")] == ["CA:TRUE"]


def test_certificates_last_a_hundred_years(pristine: Chain) -> None:
    assert "will not expire" in openssl(
        "x509", "-checkend", str(99 * 365 * 86400), "-noout", "-in", pristine.nodes[0].directory / "conf/ssl.crt"
    )


def test_the_p2p_id_is_the_certificates_modulus(pristine: Chain) -> None:
    for node in pristine.nodes:
        modulus = openssl("x509", "-noout", "-modulus", "-in", node.directory / "conf/ssl.crt").strip().removeprefix("Modulus=").lower()
        assert (node.directory / "conf/ssl.nodeid").read_text() == modulus + "\n"
        assert node.p2p_id == modulus
        assert len(modulus) == 512
        key = openssl("rsa", "-noout", "-modulus", "-in", node.directory / "conf/ssl.key").strip().removeprefix("Modulus=").lower()
        assert key == modulus


def test_the_node_id_is_the_signing_keys_public_key(pristine: Chain) -> None:
    for node in pristine.nodes:
        pem = node.directory / "conf/node.pem"
        assert pem.read_text().startswith("-----BEGIN PRIVATE KEY-----")
        text = openssl("pkey", "-in", pem, "-noout", "-text")
        assert "ASN1 OID: secp256k1" in text
        public = "".join(text.partition("pub:")[2].partition("ASN1")[0].split()).replace(":", "")
        assert public == f"04{node.node_id}"
        assert (node.directory / "conf/node.nodeid").read_text() == f"{node.node_id}\n"
    assert len({node.node_id for node in pristine.nodes}) == 4


def test_further_certificates_can_be_made_with_openssl(pristine: Chain, tmp_path: Path) -> None:
    ca = pristine.root / "ca"
    openssl("genrsa", "-out", tmp_path / "new.key", "2048")
    openssl(
        "req",
        "-new",
        "-sha256",
        "-subj",
        "/CN=x/O=fisco-bcos/OU=agency",
        "-key",
        tmp_path / "new.key",
        "-config",
        ca / "cert.cnf",
        "-out",
        tmp_path / "new.csr",
    )
    request: list[str | Path] = [
        "x509",
        "-req",
        "-in",
        tmp_path / "new.csr",
        "-CA",
        ca / "ca.crt",
        "-CAkey",
        ca / "ca.key",
        "-CAserial",
        tmp_path / "srl",
        "-CAcreateserial",
    ]
    openssl(*request, "-extfile", ca / "cert.cnf", "-extensions", "v4_req", "-out", tmp_path / "new.crt")
    assert ": OK" in openssl("verify", "-CAfile", ca / "ca.crt", tmp_path / "new.crt")


def test_the_admin_account_is_named_by_its_address(pristine: Chain) -> None:
    (key,) = (path for path in (pristine.root / "ca/accounts").glob("*.pem") if ".public" not in path.name)
    text = openssl("pkey", "-in", key, "-noout", "-text")
    public = "".join(text.partition("pub:")[2].partition("ASN1")[0].split()).replace(":", "").removeprefix("04")
    assert key.name == f"{address_of(public)}.pem"


def test_an_address_known_from_elsewhere() -> None:
    """The secp256k1 generator, whose key is 1: a well-known Ethereum address."""
    generator = (
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    )
    assert address_of(generator) == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
