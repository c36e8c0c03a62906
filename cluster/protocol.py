"""What the deployments say to each other beyond the core's own messages, and how it is packed.

Reports and batches cross as msgpack bytes: pickling their many small parts would cost more than
everything the core does with them.
"""

from __future__ import annotations

import msgspec

from dynasor.inputs import from_plain, to_plain
from dynasor.messages import Command, Report
from dynasor.result import Progress


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


class Refused(msgspec.Struct, frozen=True):
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
_batches = msgspec.msgpack.Decoder(Batch, dec_hook=from_plain)
_reports = msgspec.msgpack.Decoder(Report)
_items = msgspec.msgpack.Decoder(StreamItem)


def pack(message: Batch | Report | StreamItem) -> bytes:
    """Bytes that the ``unpack`` function of that kind of message takes."""
    return _packer.encode(message)


def unpack_batch(data: bytes) -> Batch:
    """Raises msgspec.ValidationError if it is none."""
    return _batches.decode(data)


def unpack_report(data: bytes) -> Report:
    """Raises msgspec.ValidationError if it is none."""
    return _reports.decode(data)


def unpack_item(data: bytes) -> StreamItem:
    """Raises msgspec.ValidationError if it is none."""
    item: StreamItem = _items.decode(data)
    return item
