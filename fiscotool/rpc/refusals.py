"""Why a node refused: one exception class per error code, each with what it means and what to do next.

Rule. The first sentence of a class's docstring is its meaning and is shown to people; `NEXT` is their next step.

Sources: spec 3.x 2.5, 2.6; bcos-protocol TransactionStatus.h; bcos-framework ledger `LedgerError`; recordings rpc/bad_input,
rpc/sendTransaction_cases.
"""

from __future__ import annotations

from typing import ClassVar

from fiscotool.errors import Refused


class KnownRefusal(Refused):
    """A refusal whose code is documented. `CODE` is the code on the native port, `NEXT` the next step."""

    CODE: ClassVar[int]
    NEXT: ClassVar[str] = ""


class GeneralFailure(KnownRefusal):
    """The node failed while it worked on the transaction: it cannot be decoded, or names another chain."""

    CODE = -1
    NEXT = "compare the transaction's chain id and group id with `fiscotool query version`, and check that it is Tars bytes in hex"


class UnreadableRequest(KnownRefusal):
    """The node could not read the request (a batch, or an id that is not an integer of 64 bits)."""

    CODE = -32700
    NEXT = "the native port takes one request object at a time, with an integer id"


class InvalidRequest(KnownRefusal):
    """The request lacks a member, or a parameter is of the wrong type."""

    CODE = -32600
    NEXT = "check number and types of the parameters: fiscotool rpc --help lists them"


class MethodNotFound(KnownRefusal):
    """The node does not have this method."""

    CODE = -32601
    NEXT = "names are case-sensitive; eth_… methods are on the web3 port, the others on the RPC port"


class InvalidParameters(KnownRefusal):
    """A parameter has a value the node does not accept."""

    CODE = -32602
    NEXT = "check the values of the parameters"


class ComponentUnavailable(KnownRefusal):
    """A part of the node is not available, or failed."""

    CODE = -32603
    NEXT = "look into the node's log: fiscotool logs"


class NoSuchGroupHere(KnownRefusal):
    """The node does not run this group, or has not started it yet."""

    CODE = -32000
    NEXT = "see which groups it runs: fiscotool rpc getGroupList"


class GroupAlreadyExists(KnownRefusal):
    """The group exists already."""

    CODE = -32001
    NEXT = "see which groups there are: fiscotool rpc getGroupList"


class NodeAlreadyExists(KnownRefusal):
    """The node exists already."""

    CODE = -32002
    NEXT = "see which nodes there are: fiscotool rpc getGroupInfoList"


class OperationNotAllowed(KnownRefusal):
    """The node does not allow this operation."""

    CODE = -32003
    NEXT = "the node's configuration decides what it allows: fiscotool doctor"


class ServiceNotReady(KnownRefusal):
    """The node's service has not finished starting."""

    CODE = -32004
    NEXT = "wait some seconds and ask again"


class GroupNotFound(KnownRefusal):
    """There is no such group."""

    CODE = -32005
    NEXT = "see which groups there are: fiscotool rpc getGroupList"


class LedgerRefusal(KnownRefusal):
    """The ledger could not tell what was asked."""

    CODE = 3010
    NEXT = "look into the node's log: fiscotool logs"


class OpenTableFailed(LedgerRefusal):
    """A system table of the ledger could not be opened."""

    CODE = 3001
    NEXT = "the node's data may be damaged: look into its log"


class LedgerCallbackError(LedgerRefusal):
    """The ledger's storage did not call back."""

    CODE = 3002
    NEXT = "ask again; if it stays so, look into the node's log"


class LedgerWrongArgument(LedgerRefusal):
    """The ledger does not take this argument, such as a negative block number."""

    CODE = 3003
    NEXT = "block numbers start at 0"


class LedgerDecodeError(LedgerRefusal):
    """Stored data could not be decoded."""

    CODE = 3004
    NEXT = "the node's data may be damaged: look into its log"


class LedgerCommitError(LedgerRefusal):
    """A block could not be committed."""

    CODE = 3005
    NEXT = "the node's disk may be full: look into its log"


class BlockNotFound(LedgerRefusal):
    """The node has no such block (yet)."""

    CODE = 3006
    NEXT = "see how far it is: fiscotool query height"


class LedgerLocked(LedgerRefusal):
    """The ledger is busy with another write."""

    CODE = 3007
    NEXT = "ask again"


class NotStored(LedgerRefusal):
    """Nothing is stored under this hash or key: no such transaction, receipt, block or configuration entry (yet)."""

    CODE = 3008
    NEXT = "it may be on its way: ask again, or ask another node"


class EmptyEntry(LedgerRefusal):
    """The stored entry is empty."""

    CODE = 3009
    NEXT = "ask another node: this one's data may be damaged"


class PoolRefusal(KnownRefusal):
    """The transaction pool did not take the transaction."""

    CODE = 10009


class NonceCheckFail(PoolRefusal):
    """The nonce was used already, by this very transaction sent before or by another one of the last 1,000 blocks."""

    CODE = 10000
    NEXT = "ask for the receipt before sending anew: fiscotool query receipt HASH; a new transaction needs a new nonce"


class BlockLimitCheckFail(PoolRefusal):
    """The transaction's block limit is not between height + 1 and height + 1000."""

    CODE = 10001
    NEXT = "build it again with the present height (a node that lags behind refuses limits that the others accept)"


class TxPoolIsFull(PoolRefusal):
    """The pool is full."""

    CODE = 10002
    NEXT = "send more slowly; if the height does not grow, consensus stands still: fiscotool status"


class MalformTx(PoolRefusal):
    """The transaction is malformed."""

    CODE = 10003
    NEXT = "send the kind the chain takes (3.x: Tars bytes, 2.x: RLP), whole and in hex"


class AlreadyInTxPool(PoolRefusal):
    """The transaction is in the pool already and may yet be committed."""

    CODE = 10004
    NEXT = "wait for its receipt: fiscotool query receipt HASH"


class TxAlreadyInChain(PoolRefusal):
    """The transaction is in a block already."""

    CODE = 10005
    NEXT = "ask for its receipt: fiscotool query receipt HASH"


class InvalidChainId(PoolRefusal):
    """The transaction is for another chain."""

    CODE = 10006
    NEXT = "compare its chain id with the chain's config.genesis"


class InvalidGroupId(PoolRefusal):
    """The transaction is for another group."""

    CODE = 10007
    NEXT = "compare its group id with the chain's config.genesis"


class InvalidSignature(PoolRefusal):
    """The signature does not fit the transaction."""

    CODE = 10008
    NEXT = "sign it with the sender's key, over the chain's own transaction hash"


class RequestNotBelongToTheGroup(PoolRefusal):
    """The sender is not in this group."""

    CODE = 10009
    NEXT = "send it to a node of the group"


class TransactionPoolTimeout(PoolRefusal):
    """The transaction expired in the pool: no block took it in time. Another node's pool may still hold it."""

    CODE = 10010
    NEXT = "consensus may stand still: fiscotool status; ask for the receipt before sending anew"


class AlreadyInTxPoolAndAccept(PoolRefusal):
    """The transaction is in the pool already and was accepted."""

    CODE = 10011
    NEXT = "wait for its receipt: fiscotool query receipt HASH"


class OverFlowValue(PoolRefusal):
    """The value or a fee does not fit into 256 bits."""

    CODE = 10012
    NEXT = "use a smaller value or fee"


class MaxInitCodeSizeExceeded(PoolRefusal):
    """The creation code of the contract is too long."""

    CODE = 10013
    NEXT = "deploy a smaller contract"


class SenderNoEOA(PoolRefusal):
    """The sender's address is that of a contract."""

    CODE = 10014
    NEXT = "send from an account without code"


class InsufficientFunds(PoolRefusal):
    """The sender's balance does not cover value and gas (since 3.16.4 also an empty account at gas price 0)."""

    CODE = 10015
    NEXT = "give the sender a balance: fiscotool deploy --fund ADDRESS=WEI on an embedded chain, or send a native transaction"


class ExecutionFailed(KnownRefusal):
    """The call was executed and failed; `data` is what it returned."""

    CODE = 1
    NEXT = "the code is the TransactionStatus; 16 is a revert by the contract"
