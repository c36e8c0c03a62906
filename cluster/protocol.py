"""What the deployments say to each other beyond the core's own messages, and how it is packed.

Everything crosses as msgpack bytes: pickling many small parts would cost more than everything the
core does with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from dynasor.inputs import Attach, Cancel, Detach, Submit, from_plain, to_plain
from dynasor.messages import Command, Report
from dynasor.result import Progress, Result
from dynasor.stats import Stats


class Batch(msgspec.Struct, frozen=True):
    """Commands for a replica. Polls and reports are answered side by side, so batches carry a
    number: a replica applies them in order, whatever order they arrive in.

    Attributes:
        epoch: identity of the controller process; a new one knows nothing of the old one's runs.
        number: counts from 1 per replica and attachment.
        report_period_s: least time between two reports from now on.
    """

    epoch: str
    number: int
    commands: tuple[Command, ...]
    report_period_s: float


class News(msgspec.Struct, frozen=True):
    """A replica polls or reports, attached under this epoch; ``report``: a packed `Report`."""

    replica: str
    epoch: str
    report: bytes = b""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The controller did not take a query; nothing was spent on it."""

    message: str
    retry_after_s: float


class Status(msgspec.Struct, frozen=True):
    """What the controller knows of the cluster now.

    Attributes:
        replicas: engines that live and generate.
        scorers: engines that live and judge chains.
        programs: queries in progress.
        runs: sequences that engines hold, those that were told to stop included until they have.
    """

    replicas: int
    scorers: int
    programs: int
    runs: int


class TokenDelta(msgspec.Struct, frozen=True, tag="tokens"):
    """Text of a streamed branch, from the engine straight to the ingress.

    Attributes:
        start: tokens of the branch before this piece.
        count: tokens of this piece; its text may lag behind them by what a stop string could eat.
        after: branch and number of its tokens that are shown before this branch; None: none.
    """

    query_id: str
    branch: int
    start: int
    count: int
    text: str
    after: tuple[int, int] | None = None


StreamItem = TokenDelta | Progress


_packer = msgspec.msgpack.Encoder(enc_hook=to_plain)


def pack(message: msgspec.Struct) -> bytes:
    """Bytes that the ``unpack`` function of that kind of message takes."""
    return _packer.encode(message)


def _unpacker(kind: Any) -> Callable[[bytes], Any]:
    """Raises msgspec.ValidationError if what it is given is none of the kind."""
    return msgspec.msgpack.Decoder(kind, dec_hook=from_plain).decode


unpack_batch: Callable[[bytes], Batch] = _unpacker(Batch)
unpack_report: Callable[[bytes], Report] = _unpacker(Report)
unpack_item: Callable[[bytes], StreamItem] = _unpacker(StreamItem)
unpack_submit: Callable[[bytes], Submit] = _unpacker(Submit)
unpack_cancel: Callable[[bytes], Cancel] = _unpacker(Cancel)
unpack_attach: Callable[[bytes], Attach] = _unpacker(Attach)
unpack_detach: Callable[[bytes], Detach] = _unpacker(Detach)
unpack_news: Callable[[bytes], News] = _unpacker(News)
unpack_outcome: Callable[[bytes], Result | Refused] = _unpacker(Result | Refused)
unpack_status: Callable[[bytes], Status] = _unpacker(Status)
unpack_stats: Callable[[bytes], Stats] = _unpacker(Stats)
