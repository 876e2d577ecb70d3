"""The routes of the API, one entry a path: a page that is served without an entry here fails a test, and so does an entry that
says what is not so. See `routes.py` for what an entry is."""

from __future__ import annotations

from typing import Final

from b2bua.http.api_schemas import (
    BAN,
    CALL,
    CALL_DETAIL,
    CREDENTIALS,
    ENTITY,
    FAULT,
    LAMP,
    LOG_ENTRY,
    MAILBOX,
    NEW_USER,
    OVERVIEW,
    REGISTRATION,
    SESSION,
    SETTING,
    TRACE_RECORD,
    USER,
)
from b2bua.http.routes import (
    FLAG,
    NUMBER,
    WHOLE,
    Answer,
    Operation,
    Parameter,
    Route,
    answered,
    document,
    get,
    listed,
    one_of,
    record,
    table,
)
from b2bua.log.events import AREAS, LEVELS
from b2bua.trace.console_forms import CONSOLE_FORMS
from b2bua.trace.exports import EXPORTS

_WRONG: Final = {400: Answer("What is wrong with the question, in one line.")}
_NONE: Final = {404: Answer("There is no such thing.")}
_NOT_NOW: Final = {409: Answer("Why that cannot be now.")}
_STORE: Final = {503: Answer("The store takes nothing now.")}

_FAULTS: Final = answered("faults", listed(FAULT), "The faults that are set.")
_MAILBOXES: Final = answered("mailboxes", listed(MAILBOX), "The mailboxes that are set.")
_USERS: Final = answered("users", listed(USER), "The users of the domain.")
_DRAIN: Final = {200: document("Whether it drains, and how many calls are left.", record(draining=FLAG, calls=WHOLE))}
_CALL: Final = {202: document("It has begun: the call; `last` tells what came of it.", CALL)} | _WRONG | _NONE | _NOT_NOW

_TRACE_FORMS: Final = EXPORTS | CONSOLE_FORMS
_TRACE_TYPES: Final = tuple(sorted({media_type.partition(";")[0] for media_type, _ in _TRACE_FORMS.values()}))

ROUTES: Final[tuple[Route, ...]] = (
    Route("bans", (
        get("Who is not heard because its credentials kept being wrong.", answered("bans", listed(BAN), "Those that stand.")),
        Operation("DELETE", "Hear an address again.", answered("bans", listed(BAN), "What is left.") | _NONE,
                  (Parameter("address", "As the list has it, or one within it."),)),
    )),
    Route("calls", (
        get("The calls that stand, or one of them.", {
            200: document("All calls, or the one.", {"anyOf": [record(calls=listed(CALL)), CALL]}), **_WRONG, **_NONE,
        }, Parameter("id", "One call: its id, or the Call-ID of either leg.")),
        Operation("POST", "Make a call, or do something with one that stands.", _CALL, (
            Parameter("do", "What is to be done.", one_of("make", "hold", "resume", "transfer", "end"), required=True),
            Parameter("id", "The call; not for `make`."),
            Parameter("user", "The party that holds, resumes or leaves."),
            Parameter("from", "For `make`: whose phone rings first."),
            Parameter("to", "For `make` and `transfer`: who is called."),
        )),
        Operation("DELETE", "End a call.", _CALL, (Parameter("id", "The call."),)),
    )),
    Route("cdr", (
        get("The calls that have ended, as their records stand in the file of `cdr` and those that were moved away from its "
            "place, the oldest first; `more`: there may be older ones.", {
            200: document("The newest that match.", record(cdr=listed(CALL_DETAIL), more=FLAG)), **_WRONG,
            404: Answer("No records are kept: `cdr` is not set."),
            503: Answer("The disk does not give them, or too many ask at this moment."),
        },
            Parameter("since", "Unix seconds: ended then or later.", NUMBER),
            Parameter("user", "With this user as a party, or somebody who was called; a name or an address."),
            Parameter("call", "Of one call, by its id or the Call-ID of a leg."),
            Parameter("limit", "So many at most; 100 unless given.", {"type": "integer", "minimum": 1, "maximum": 1000}),
        ),
    )),
    Route("drain", (
        get("Whether the server takes new calls.", _DRAIN),
        Operation("POST", "Take no new calls, and stop after the last.", _DRAIN),
        Operation("DELETE", "Take calls again.", _DRAIN),
    )),
    table("entities", ENTITY, "Feature servers, trunks and the media relay, and whether they answer."),
    Route("events", (
        get("Server-sent events `changed` whenever something has happened, at most twice a second.", {
            200: Answer("A stream without an end.", media_types=("text/event-stream",)),
            503: Answer("Too many readers."),
        }),
    )),
    Route("faults", (
        get("Faults on purpose.", _FAULTS),
        Operation("POST", "Set one.", _FAULTS | _WRONG, (Parameter("fault", "As `b2bua fault add` takes it.", required=True),)),
        Operation("DELETE", "Take one away.", _FAULTS | _NONE, (Parameter("number", "Its number, or `all`.", required=True),)),
    )),
    table("lamps", LAMP, "What is published and watched, and what each watcher was told."),
    Route("logs", (
        get("The newest entries of the log, the oldest of them first; `number` is the newest of all.", {
            200: document("Those that match, 500 at most.", record(logs=listed(LOG_ENTRY), number=WHOLE)), **_WRONG,
        },
            Parameter("area", "Of one area.", one_of(*AREAS)),
            Parameter("level", "Of this level and above.", one_of(*LEVELS)),
            Parameter("call", "Of one call, by its id."),
            Parameter("user", "Of one user."),
            Parameter("peer", "Of one address, or those that begin so."),
            Parameter("event", "Of one event."),
            Parameter("text", "With this text anywhere."),
            Parameter("after", "Newer than this number.", WHOLE),
        ),
    )),
    Route("mailboxes", (
        get("How many voice messages wait for whom.", _MAILBOXES),
        Operation("POST", "Set them for a user.", _MAILBOXES | _WRONG | _NONE | _STORE, (
            Parameter("user", "Whose.", required=True),
            Parameter("new", "New messages.", {**WHOLE, "maximum": 4_294_967_295}, required=True),
            Parameter("old", "Old ones; 0 unless given.", {**WHOLE, "maximum": 4_294_967_295}),
        )),
        Operation("DELETE", "Forget what was set for a user.", _MAILBOXES | _NONE | _STORE, (Parameter("user", "Whose."),)),
    )),
    Route("openapi.json", (get("This description.", {200: document("OpenAPI 3.1.", {"type": "object"})}),)),
    Route("overview", (get("The server in figures.", answered("overview", OVERVIEW, "The figures.")),)),
    table("registrations", REGISTRATION, "Who is registered, the first 1,000 contacts."),
    Route("reload", (
        Operation("POST", "Read settings, users and features again.", {200: Answer("Done.")} | _NOT_NOW),
    )),
    Route("session", (
        Operation("GET", "Who asks, and in which role.", {200: document("Who.", SESSION)}, open=True),
        Operation("POST", "Log in: the answer sets the cookie.", {
            200: document("Who.", SESSION), **_WRONG, 401: Answer("Name or password is wrong."),
            429: Answer("Too many wrong ones from this address; Retry-After tells for how long."),
            503: Answer("Too many log in at this moment."),
        }, body=CREDENTIALS, open=True),
        Operation("DELETE", "Log out.", {200: document("Nobody.", SESSION)}, open=True),
    )),
    table("settings", SETTING, "The settings in force; there are no secrets in them."),
    Route("trace", (
        get("The messages that the trace has kept, and with `follow` those that come.", {
            200: Answer("The messages in the form that was asked for.", TRACE_RECORD, _TRACE_TYPES),
            **_WRONG, 503: Answer("Too many live views."),
        },
            Parameter("call-id", "Only the call with a leg of this Call-ID, all its legs."),
            Parameter("user", "Only this user's calls and messages."),
            Parameter("follow", "Go on with new messages.", one_of("0", "1")),
            Parameter("since", "Unix seconds: also what is kept on disk from then on.", NUMBER),
            Parameter("together", "With the traces of `trace_servers`.", one_of("0", "1")),
            Parameter("secrets", "Unredacted: for an operator on the server's machine, if it runs with `trace_secrets`.",
                      one_of("0", "1")),
            Parameter("format", "The form; `json`, a record a line, unless given.", one_of(*sorted(_TRACE_FORMS))),
        ),
    )),
    Route("users", (
        get("Who may register, and what each has set.", _USERS),
        Operation("POST", "Add a user, or change one's password.", _USERS | _WRONG | _NOT_NOW | _STORE, body=NEW_USER),
        Operation("DELETE", "Remove a user.", _USERS | _NONE | _NOT_NOW | _STORE, (Parameter("name", "Whom.", required=True),)),
    )),
)  # fmt: skip
"""By name."""

BY_NAME: Final = {route.name: route for route in ROUTES}
