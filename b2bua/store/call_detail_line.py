"""A call detail record as it is written: one JSON object a line. deploy/cdr.schema.json is made of this."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from b2bua.store.call_detail import Side

LINE_VERSION: Final = 1

Time = Annotated[str, Meta(description="ISO 8601 with milliseconds, in UTC: 2026-11-29T15:04:05.123+00:00.")]
Address = Annotated[str, Meta(description="An address of record: sip:6001@example.com.")]


class SideLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party, and its leg."""

    party: Address
    call_id: Annotated[str, Meta(description="The Call-ID of this leg.")]
    transport: Annotated[str | None, Meta(description="As the phone's Contact names it; null where nobody answered.")]
    codecs: Annotated[list[str], Meta(description="What both sides of the leg agreed on last.")]


class ForwardingLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Before its answer the call went on to others."""

    time: Time
    by: Address
    to: list[str]
    cause: Annotated[int, Meta(description="Why: 181 in any case, 486 busy, 408 or 480 no answer, 302 the phone said so.")]


class TransferLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One party left, and another came in its place."""

    time: Time
    leaves: Address
    comes: Address


class CallDetailLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call that has ended."""

    version: Annotated[int, Meta(ge=LINE_VERSION, le=LINE_VERSION)] = LINE_VERSION
    id: Annotated[str, Meta(description="The call's id, as the log has it; no two records have the same.")]
    node: Annotated[str, Meta(description="Which feature server wrote it: NAME@HOST.")]
    serves: Annotated[
        Side,
        Meta(description="Where the call passes once for each party (application_passes): for which this record is."),
    ]
    caller: SideLine
    callee: Annotated[SideLine, Meta(description="Who answered, else who was called first.")]
    asked: Annotated[str, Meta(description="The Request-URI of the caller's INVITE.")]
    reached: Annotated[str | None, Meta(description="The party that answered; null where nobody did.")]
    setup: Annotated[str, Meta(description="When the INVITE came; the form of all times: ISO 8601, UTC.")]
    ring: Annotated[str | None, Meta(description="When the caller first heard that somebody rings.")]
    answer: Annotated[str | None, Meta(description="When the call was answered.")]
    end: Annotated[str, Meta(description="When it ended.")]
    setup_seconds: Annotated[float, Meta(description="From setup to answer, or to the end where nobody answered.")]
    talk_seconds: Annotated[float, Meta(description="From answer to end, holds included; 0 where nobody answered.")]
    holds: int
    hold_seconds: Annotated[float, Meta(description="Seconds in which at least one party held.")]
    forwardings: list[ForwardingLine]
    transfers: list[TransferLine]
    continued_in: Annotated[str | None, Meta(description="The id of the call that a party of this one went on in.")]
    result: Annotated[str, Meta(description="As the metric b2bua_calls_total has it.")]
    status: Annotated[int | None, Meta(description="The final answer to the caller's INVITE; null where there was none.")]
    ended_by: Literal["caller", "callee", "server"]
    reasons: Annotated[list[str], Meta(description="Values of Reason (RFC 3326) that came or went with the end.")]
    q850: Annotated[int | None, Meta(description="The cause of a Q.850 reason among them.")]


def encode_line(line: CallDetailLine) -> str:
    """One line in ASCII, without its end."""
    return json.dumps(msgspec.to_builtins(line), separators=(",", ":"))


def line_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a line."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(CallDetailLine)}
