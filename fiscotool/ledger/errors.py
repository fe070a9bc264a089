"""What can be wrong with bytes that claim to be a transaction, a block, a receipt or a key.

    FiscoToolError
    ├── LedgerFormatError     not the format it claims to be: truncated, wrong type, a hash that is not the hash of the content
    ├── BadSignature          well formed, but the signature belongs to nobody or to somebody else
    └── KeyFormatError        a key file or secret that cannot be used (the user's file, so a usage error)

Decoders of this room raise these and nothing else, whatever the input (tests/ledger/test_garbage.py).
"""

from __future__ import annotations

from fiscotool.errors import FiscoToolError, UsageError


class LedgerFormatError(FiscoToolError):
    """Bytes or JSON that are not what they claim to be."""


class BadSignature(FiscoToolError):
    """A signature that does not belong to the key, or to no key at all."""


class KeyFormatError(UsageError):
    """A private key that cannot be used: not PEM, encrypted, another curve, out of range."""
