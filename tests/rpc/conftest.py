"""Certificates for TLS tests: a CA, a node's and a client's certificate, as build_chain.sh makes them (no host names)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make_sdk(directory: Path, ca_name: str, curve: ec.EllipticCurve | None = None) -> Path:
    """ca.crt, sdk.crt, sdk.key, node.crt, node.key in `directory`; on secp256r1 unless another `curve` is given."""
    now = dt.datetime.now(dt.UTC)
    keys = {who: ec.generate_private_key(curve or ec.SECP256R1()) for who in ("ca", "sdk", "node")}
    for who, key in keys.items():
        builder = x509.CertificateBuilder(
            issuer_name=_name(ca_name),
            subject_name=_name(ca_name if who == "ca" else f"{ca_name}-{who}"),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - dt.timedelta(days=1),
            not_valid_after=now + dt.timedelta(days=1),
        )
        if who == "ca":
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.sign(keys["ca"], hashes.SHA256())
        (directory / f"{who}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (directory / f"{who}.key").write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    return directory


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sdk(tmp_path_factory.mktemp("sdk"), "FISCO-BCOS-test")


@pytest.fixture(scope="session")
def other_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sdk(tmp_path_factory.mktemp("other"), "FISCO-BCOS-other")


@pytest.fixture(scope="session")
def old_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As build_chain.sh of 2.x makes them with -R, or before 2.9.0."""
    return make_sdk(tmp_path_factory.mktemp("old"), "FISCO-BCOS-old", ec.SECP256K1())
