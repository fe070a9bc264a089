"""Loaded before any test of this room: eth_account raises the recursion limit when it is imported, which hypothesis forbids inside a test."""

from __future__ import annotations

import eth_account.account  # noqa: F401 - for the effect described above
