from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Hello(_message.Message):
    __slots__ = ("version", "nodeID", "groupID", "genesisHash", "nonce", "chainID", "listenPort", "nodeVersion")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODEID_FIELD_NUMBER: _ClassVar[int]
    GROUPID_FIELD_NUMBER: _ClassVar[int]
    GENESISHASH_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    CHAINID_FIELD_NUMBER: _ClassVar[int]
    LISTENPORT_FIELD_NUMBER: _ClassVar[int]
    NODEVERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    nodeID: bytes
    groupID: str
    genesisHash: bytes
    nonce: bytes
    chainID: str
    listenPort: int
    nodeVersion: str
    def __init__(self, version: _Optional[int] = ..., nodeID: _Optional[bytes] = ..., groupID: _Optional[str] = ..., genesisHash: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., chainID: _Optional[str] = ..., listenPort: _Optional[int] = ..., nodeVersion: _Optional[str] = ...) -> None: ...

class HelloProof(_message.Message):
    __slots__ = ("signature",)
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    signature: bytes
    def __init__(self, signature: _Optional[bytes] = ...) -> None: ...

class Transactions(_message.Message):
    __slots__ = ("id", "transactions")
    ID_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    id: int
    transactions: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, id: _Optional[int] = ..., transactions: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TransactionsRequest(_message.Message):
    __slots__ = ("id", "hashes")
    ID_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    id: int
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, id: _Optional[int] = ..., hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class BlockSyncMessage(_message.Message):
    __slots__ = ("version", "packetType", "number", "hash", "genesisHash", "size", "blocksData", "time", "archived_number", "block_interval", "block_data_flag")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PACKETTYPE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    GENESISHASH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLOCKSDATA_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVED_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    BLOCK_DATA_FLAG_FIELD_NUMBER: _ClassVar[int]
    version: int
    packetType: int
    number: int
    hash: bytes
    genesisHash: bytes
    size: int
    blocksData: _containers.RepeatedScalarFieldContainer[bytes]
    time: int
    archived_number: int
    block_interval: int
    block_data_flag: int
    def __init__(self, version: _Optional[int] = ..., packetType: _Optional[int] = ..., number: _Optional[int] = ..., hash: _Optional[bytes] = ..., genesisHash: _Optional[bytes] = ..., size: _Optional[int] = ..., blocksData: _Optional[_Iterable[bytes]] = ..., time: _Optional[int] = ..., archived_number: _Optional[int] = ..., block_interval: _Optional[int] = ..., block_data_flag: _Optional[int] = ...) -> None: ...
