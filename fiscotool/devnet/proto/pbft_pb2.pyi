from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RawMessage(_message.Message):
    __slots__ = ("version", "type", "signatureData", "payLoad")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SIGNATUREDATA_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    version: int
    type: int
    signatureData: bytes
    payLoad: bytes
    def __init__(self, version: _Optional[int] = ..., type: _Optional[int] = ..., signatureData: _Optional[bytes] = ..., payLoad: _Optional[bytes] = ...) -> None: ...

class BaseMessage(_message.Message):
    __slots__ = ("version", "index", "hash", "view", "timestamp", "generatedFrom", "signatureHash", "signatureData")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    GENERATEDFROM_FIELD_NUMBER: _ClassVar[int]
    SIGNATUREHASH_FIELD_NUMBER: _ClassVar[int]
    SIGNATUREDATA_FIELD_NUMBER: _ClassVar[int]
    version: int
    index: int
    hash: bytes
    view: int
    timestamp: int
    generatedFrom: int
    signatureHash: bytes
    signatureData: bytes
    def __init__(self, version: _Optional[int] = ..., index: _Optional[int] = ..., hash: _Optional[bytes] = ..., view: _Optional[int] = ..., timestamp: _Optional[int] = ..., generatedFrom: _Optional[int] = ..., signatureHash: _Optional[bytes] = ..., signatureData: _Optional[bytes] = ...) -> None: ...

class RawProposal(_message.Message):
    __slots__ = ("index", "hash", "data", "signature", "extraData", "sealerId", "systemProposal")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    EXTRADATA_FIELD_NUMBER: _ClassVar[int]
    SEALERID_FIELD_NUMBER: _ClassVar[int]
    SYSTEMPROPOSAL_FIELD_NUMBER: _ClassVar[int]
    index: int
    hash: bytes
    data: bytes
    signature: bytes
    extraData: bytes
    sealerId: int
    systemProposal: bool
    def __init__(self, index: _Optional[int] = ..., hash: _Optional[bytes] = ..., data: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., extraData: _Optional[bytes] = ..., sealerId: _Optional[int] = ..., systemProposal: _Optional[bool] = ...) -> None: ...

class PBFTRawProposal(_message.Message):
    __slots__ = ("proposal", "nodeList", "signatureList")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    NODELIST_FIELD_NUMBER: _ClassVar[int]
    SIGNATURELIST_FIELD_NUMBER: _ClassVar[int]
    proposal: RawProposal
    nodeList: _containers.RepeatedScalarFieldContainer[int]
    signatureList: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, proposal: _Optional[_Union[RawProposal, _Mapping]] = ..., nodeList: _Optional[_Iterable[int]] = ..., signatureList: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PBFTRawMessage(_message.Message):
    __slots__ = ("hashFieldsData", "consensusProposal", "proposals", "signatureData")
    HASHFIELDSDATA_FIELD_NUMBER: _ClassVar[int]
    CONSENSUSPROPOSAL_FIELD_NUMBER: _ClassVar[int]
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    SIGNATUREDATA_FIELD_NUMBER: _ClassVar[int]
    hashFieldsData: bytes
    consensusProposal: PBFTRawProposal
    proposals: _containers.RepeatedCompositeFieldContainer[PBFTRawProposal]
    signatureData: bytes
    def __init__(self, hashFieldsData: _Optional[bytes] = ..., consensusProposal: _Optional[_Union[PBFTRawProposal, _Mapping]] = ..., proposals: _Optional[_Iterable[_Union[PBFTRawProposal, _Mapping]]] = ..., signatureData: _Optional[bytes] = ...) -> None: ...

class RawViewChangeMessage(_message.Message):
    __slots__ = ("message", "committedProposal", "preparedProposals")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COMMITTEDPROPOSAL_FIELD_NUMBER: _ClassVar[int]
    PREPAREDPROPOSALS_FIELD_NUMBER: _ClassVar[int]
    message: BaseMessage
    committedProposal: PBFTRawProposal
    preparedProposals: _containers.RepeatedCompositeFieldContainer[PBFTRawMessage]
    def __init__(self, message: _Optional[_Union[BaseMessage, _Mapping]] = ..., committedProposal: _Optional[_Union[PBFTRawProposal, _Mapping]] = ..., preparedProposals: _Optional[_Iterable[_Union[PBFTRawMessage, _Mapping]]] = ...) -> None: ...

class RawNewViewMessage(_message.Message):
    __slots__ = ("message", "viewChangeMsgList", "prePrepareList")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VIEWCHANGEMSGLIST_FIELD_NUMBER: _ClassVar[int]
    PREPREPARELIST_FIELD_NUMBER: _ClassVar[int]
    message: BaseMessage
    viewChangeMsgList: _containers.RepeatedCompositeFieldContainer[RawViewChangeMessage]
    prePrepareList: _containers.RepeatedCompositeFieldContainer[PBFTRawMessage]
    def __init__(self, message: _Optional[_Union[BaseMessage, _Mapping]] = ..., viewChangeMsgList: _Optional[_Iterable[_Union[RawViewChangeMessage, _Mapping]]] = ..., prePrepareList: _Optional[_Iterable[_Union[PBFTRawMessage, _Mapping]]] = ...) -> None: ...

class ProposalRequest(_message.Message):
    __slots__ = ("message", "size")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    message: BaseMessage
    size: int
    def __init__(self, message: _Optional[_Union[BaseMessage, _Mapping]] = ..., size: _Optional[int] = ...) -> None: ...
