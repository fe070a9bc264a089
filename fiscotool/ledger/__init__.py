"""Transactions, receipts, headers and blocks of FISCO BCOS 3.x and 2.x as bytes, hashes, signatures, RPC objects. No I/O, no state.

    crypto       keccak, keys, signatures           tars, fields      the binary format and typed access to it
    tx3          transactions, decode_verified      rlp_items, eth_payload, eth    Ethereum transactions and their wrapping
    receipt3     receipts and events                rpc_json, rpc_objects          RPC objects, both ways
    header3      headers, block hash                block3            blocks and proposals
    merkle       roots over hashes                  signatures        who signed a header, with what weight
    precompiled  system contracts and their ABI     errors            LedgerFormatError, BadSignature, KeyFormatError
    tx2, receipt2, header2, merkle2    the same of 2.x, in RLP        anyheader    a block object of either generation

Decoders take bytes from anyone: they raise LedgerFormatError or BadSignature and nothing else, in time linear in the input.
"""
