"""The documents of the API, as JSON Schema: what `api_routes.py` says that a path answers or takes."""

from __future__ import annotations

from typing import Any, Final

from b2bua.http.routes import FLAG, NUMBER, ROLES, TEXT, WHOLE, Schema, listed, mapped, maybe, one_of, record
from b2bua.store.call_detail_line import line_schema

BAN: Final = record(source=TEXT, seconds_left=NUMBER)

_LAST: Final = record(asked=TEXT, status=WHOLE, reason=TEXT)
CALL: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": TEXT, "state": TEXT, "caller": TEXT, "callee": TEXT, "seconds": NUMBER, "holding": listed(TEXT),
        "call_ids": listed(TEXT), "last": _LAST,
    },
    "required": ["id", "state"],
    "additionalProperties": False,
}  # fmt: skip
"""Of a call that has ended id, state and what was asked of it last are left."""



def _without_references(schema: Any, parts: Schema) -> Any:
    """The same with each `$ref` replaced by what it names: one document among others has no place for definitions."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _without_references(parts[schema["$ref"].rpartition("/")[2]], parts)
        return {name: _without_references(value, parts) for name, value in schema.items()}
    return [_without_references(value, parts) for value in schema] if isinstance(schema, list) else schema


_LINE: Final = line_schema()
CALL_DETAIL: Final[Schema] = _without_references({"$ref": _LINE["$ref"]}, _LINE["$defs"])
"""A line of the file of call detail records: deploy/cdr.schema.json."""

CREDENTIALS: Final = record(
    name={"type": "string", "minLength": 1, "maxLength": 64}, password={"type": "string", "minLength": 1, "maxLength": 1024}
)
SESSION: Final = record(name=maybe(TEXT), role=maybe(one_of(*ROLES)), login=FLAG)
"""Who asks; `login`: whether anybody has to log in here."""

ENTITY: Final = record(name=TEXT, kind=TEXT, up=maybe(FLAG), rtt=maybe(NUMBER))
FAULT: Final = record(number=WHOLE, fault=TEXT, matched=WHOLE, acted=WHOLE, spent=FLAG)
MAILBOX: Final = record(user=TEXT, new=WHOLE, old=WHOLE)

LOG_ENTRY: Final[Schema] = {
    "type": "object",
    "properties": {"number": WHOLE, "time": NUMBER, "level": TEXT, "area": TEXT, "event": TEXT},
    "required": ["number", "time", "level", "area", "event"],
}  # fmt: skip
"""Further keys are the fields of the event."""

_PARTY: Final = record(identity=TEXT, target=TEXT, rendering=TEXT)
_DIALOG: Final = record(state=TEXT, direction=TEXT, event=TEXT, call_id=TEXT, local=_PARTY, remote=_PARTY)
_PUBLICATION: Final = record(by=TEXT, seconds_left=NUMBER, call=TEXT, dialogs=maybe(listed(_DIALOG)))
_SUBSCRIPTION: Final = record(
    watcher=TEXT, event=TEXT, listener=TEXT, address=TEXT, seconds_left=NUMBER, cseq=WHOLE, version=WHOLE, answer=WHOLE,
    under_way=FLAG, waits=FLAG,
)  # fmt: skip
LAMP: Final = record(package=TEXT, aor=TEXT, publications=listed(_PUBLICATION), subscriptions=listed(_SUBSCRIPTION))

OVERVIEW: Final = record(
    version=TEXT, domain=TEXT, started=NUMBER, now=NUMBER, ready=FLAG, listeners=listed(TEXT), registered=WHOLE,
    calls=mapped(WHOLE), subscriptions=mapped(WHOLE), publications=WHOLE,
    trace=record(kept=WHOLE, size=WHOLE, dropped=WHOLE, keep=TEXT, servers=listed(TEXT)), store=FLAG, steered=FLAG,
)  # fmt: skip
REGISTRATION: Final = record(
    user=TEXT, contact=TEXT, listener=TEXT, source=TEXT, nat=FLAG, path=listed(TEXT), instance=TEXT, user_agent=TEXT,
    answers=FLAG, seconds_left=NUMBER,
)  # fmt: skip
SETTING: Final = record(key=TEXT, value=maybe(TEXT), meaning=TEXT, followed=FLAG)

TRACE_RECORD: Final[Schema] = {
    "type": "object",
    "properties": {
        "time": NUMBER, "source": TEXT, "destination": TEXT, "transport": TEXT, "call": maybe(TEXT), "retransmission": FLAG,
        "message": TEXT,
    },
    "required": ["time", "source", "destination", "transport", "call", "retransmission", "message"],
}  # fmt: skip
"""One line of the trace in NDJSON; further keys come where there is something to say."""

USER: Final = record(name=TEXT, algorithms=listed(TEXT), settings=mapped(TEXT))
NEW_USER: Final = record(
    name={"type": "string", "minLength": 1, "maxLength": 64}, password={"type": "string", "minLength": 1, "maxLength": 1024}
)
