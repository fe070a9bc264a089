"""Transactions, receipts and block headers as bytes, hashes and signatures."""
