"""Why a 2.x node refused: one exception class per error code, each with what it means and what to do next.

Rule 1. What has a counterpart in 3.x is a subclass of its class there, so that a caller who catches BlockNotFound or NoSuchGroupHere
        is right for both generations.
Rule 2. -32603 says everything the transaction pool and the node's own code refuse, in a C++ diagnostic; the word in it decides
        (BY_WORD2), and is the class of the same refusal of 3.x where there is one.

Facts (recorded from 2.9.1): -40009 is also the answer of getEpochSealersList on a chain that does not run rPBFT.

Sources: spec 2.x 2.2; librpc/Common.h, Rpc.cpp, libtxpool/TxPool.cpp; recordings v2/rpc/bad_input.
"""

from __future__ import annotations

from typing import ClassVar, Final

from fiscotool.rpc.refusals import (
    AlreadyInTxPool,
    BlockLimitCheckFail,
    BlockNotFound,
    InvalidChainId,
    InvalidGroupId,
    InvalidParameters,
    InvalidRequest,
    KnownRefusal,
    MalformTx,
    MethodNotFound,
    NonceCheckFail,
    NoSuchGroupHere,
    NotStored,
    OperationNotAllowed,
    PoolRefusal,
    ServiceNotReady,
    TxAlreadyInChain,
    TxPoolIsFull,
)


class Refusal2(KnownRefusal):
    """A refusal whose code is documented for 2.x. `CODE` is the code there."""

    CODE: ClassVar[int]


class GroupDoesNotExist(Refusal2, NoSuchGroupHere):
    """The node does not run a group of this number."""

    CODE = -40001
    NEXT = "see which groups it runs: fiscotool rpc getGroupList"


class ResponseParseError(Refusal2):
    """The node could not read its own answer."""

    CODE = -40002
    NEXT = "ask again; if it stays so, look into the node's log"


class BlockHashDoesNotExist(Refusal2, BlockNotFound):
    """The node has no block with this hash (a malformed hash is answered the same way)."""

    CODE = -40003
    NEXT = "see how far it is: fiscotool query height"


class BlockNumberDoesNotExist(Refusal2, BlockNotFound):
    """The node has no block of this number (yet)."""

    CODE = -40004
    NEXT = "see how far it is: fiscotool query height"


class TransactionIndexOutOfRange(Refusal2, NotStored):
    """The block has no transaction at this place."""

    CODE = -40005
    NEXT = "places start at 0; getBlockByNumber lists the block's transactions"


class CallNeedsFrom(Refusal2):
    """A local call needs the address of the caller."""

    CODE = -40006
    NEXT = 'give "from" in the call'


class NoViewInThisConsensus(Refusal2):
    """The chain does not run PBFT, so that there is no view."""

    CODE = -40007
    NEXT = "raft has no views: see getConsensusStatus"


class InvalidSystemConfig(Refusal2, NotStored):
    """There is no system configuration entry of this name."""

    CODE = -40008
    NEXT = "one of: tx_count_limit, tx_gas_limit, consensus_timeout, rpbft_epoch_sealer_num, rpbft_epoch_block_num"


class NotInTheGroup(Refusal2):
    """The node runs, but is neither sealer nor observer of the group."""

    CODE = -40009
    NEXT = "ask a member of the group (fiscotool query sealers), or make the node an observer first"


class OnlyWithRpbft(Refusal2):
    """The method is for chains that run rPBFT."""

    CODE = -40009
    NEXT = "on a PBFT chain all sealers take part: fiscotool query sealers"


class StillInitialising(Refusal2, ServiceNotReady):
    """The node has not finished starting."""

    CODE = -40010
    NEXT = "wait some seconds and ask again"


class OverQpsLimit(Refusal2):
    """The node has answered as many requests of this second as its configuration allows (flow_control in config.ini)."""

    CODE = -40011
    NEXT = "ask more slowly"


class SdkNotAllowed(Refusal2):
    """The group's sdk_allowlist does not have the client's certificate."""

    CODE = -40012
    NEXT = "add the certificate's public key to [sdk_allowlist] in the node's group.<id>.ini, or ask a node that allows it"


class ReceiptRangeRefused(Refusal2):
    """The range of receipts is not in the block, or could not be compressed."""

    CODE = -40099
    NEXT = "the first place must be below the block's count of receipts; -1 as count asks for all from there"


class DynamicGroupForbidden(Refusal2, OperationNotAllowed):
    """Groups of this node cannot be managed over RPC (rpc.disable_dynamic_group in config.ini)."""

    CODE = -100001
    NEXT = "set rpc.disable_dynamic_group=false in the node's config.ini and restart it"


class JsonNotReadable(Refusal2):
    """The request is not JSON."""

    CODE = -32700
    NEXT = "check what was sent; a proxy may have changed it"


class NotARequest(Refusal2, InvalidRequest):
    """The request lacks a member, is not of JSON-RPC 2.0, or has an id that is neither integer nor text."""

    CODE = -32600
    NEXT = "params are a list or an object; group first"


class NoSuchMethod(Refusal2, MethodNotFound):
    """The node does not have this method."""

    CODE = -32601
    NEXT = "names are case-sensitive; methods of 3.x (getGroupInfo …) are not those of 2.x"


class WrongParameters(Refusal2, InvalidParameters):
    """Number or types of the parameters are wrong: group an integer, block numbers and hashes texts, flags true or false."""

    CODE = -32602
    NEXT = "for example: fiscotool rpc getBlockByNumber 1 '\"12\"' true"


class InternalError2(Refusal2):
    """The node failed while it worked on the request."""

    CODE = -32603
    NEXT = "its words say why; look into the node's log: fiscotool logs"


class NotANotification(Refusal2):
    """A request without an id was sent to a method that answers."""

    CODE = -32604
    NEXT = "give the request an id"


class NodeIsSyncing(PoolRefusal):
    """The node is more than 20 blocks behind and takes no transactions until it has caught up."""

    CODE = -32603
    NEXT = "send to another node, or wait: fiscotool query sync"


class OverGroupMemoryLimit(PoolRefusal):
    """The group's transactions take as much memory as its configuration allows."""

    CODE = -32603
    NEXT = "send more slowly, or raise tx_pool.memory_limit in group.<id>.ini"


class TransactionSubmitFailed(PoolRefusal):
    """The pool did not take the transaction."""

    CODE = -32603
    NEXT = "look into the node's log: fiscotool logs"


class NotHexOrNumber(InvalidParameters):
    """A number or bytes cannot be read: they are decimal, or hex with 0x."""

    CODE = -32603
    NEXT = "write numbers as decimal or 0x-hex texts and bytes as 0x-hex"


class AskedAs3x(KnownRefusal):
    """The node is of 2.x and was asked in the words of 3.x."""

    CODE = -32602
    NEXT = "the group of a 2.x chain is a number: give its own directory, or its addresses with --rpc and --group 1"


WORDS_OF_2X: Final = ("METHOD_NOT_FOUND: ", "INVALID_PARAMS: ", "INVALID_JSON_REQUEST: ")
"""How only 2.x begins these refusals: where 3.x was expected, the node is of another generation."""

BY_CODE2: Final[dict[int, type[KnownRefusal]]] = {
    kind.CODE: kind
    for kind in (
        *(GroupDoesNotExist, ResponseParseError, BlockHashDoesNotExist, BlockNumberDoesNotExist, TransactionIndexOutOfRange),
        *(CallNeedsFrom, NoViewInThisConsensus, InvalidSystemConfig, NotInTheGroup, StillInitialising, OverQpsLimit, SdkNotAllowed),
        *(ReceiptRangeRefused, DynamicGroupForbidden, JsonNotReadable, NotARequest, NoSuchMethod, WrongParameters, InternalError2),
        NotANotification,
    )
}
"""The class of each documented code of 2.x."""

BY_WORD2: Final[tuple[tuple[int, str, type[KnownRefusal]], ...]] = (
    (-40009, "only supported when rpbft", OnlyWithRpbft),
    (-32603, "TransactionNonceCheckFail", NonceCheckFail),
    (-32603, "TxPoolNonceCheckFail", NonceCheckFail),
    (-32603, "TransactionPoolIsFull", TxPoolIsFull),
    (-32603, "TransactionAlreadyKown", AlreadyInTxPool),
    (-32603, "TransactionAlreadyInChain", TxAlreadyInChain),
    (-32603, "InvalidChainId", InvalidChainId),
    (-32603, "InvalidGroupId", InvalidGroupId),
    (-32603, "BlockLimitCheckFailed", BlockLimitCheckFail),
    (-32603, "OverGroupMemoryLimit", OverGroupMemoryLimit),
    (-32603, "TransactionSubmitFailed", TransactionSubmitFailed),
    (-32603, "NodeIsSyncing", NodeIsSyncing),
    (-32603, "transaction RLP must be a list", MalformTx),
    (-32603, "InvalidTransactionFormat", MalformTx),
    (-32603, "jsToInt", NotHexOrNumber),
    (-32603, "bad lexical cast", NotHexOrNumber),
    (-32603, "as bytes; must be 0x-prefixed", NotHexOrNumber),
)
"""(code, what the message has in it, its class): what a code alone does not say. The words as the node spells them."""


def kind_of(code: int, message: str) -> type[KnownRefusal] | None:
    """The class for an error answer of a 2.x node; None for a code nobody documented."""
    for of_code, word, kind in BY_WORD2:
        if code == of_code and word in message:
            return kind
    return BY_CODE2.get(code)
