"""The description of the API that the server serves at `/api/openapi.json`, made from the table of its routes (OpenAPI 3.1)."""

# twisted.web is typed in part only.
# mypy: allow-untyped-calls
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from b2bua import __version__
from b2bua.http.access import MARK
from b2bua.http.routes import Answer, Operation, Route

OPENAPI: Final = b"openapi.json"
_WAYS_IN: Final[list[dict[str, list[str]]]] = [{"token": []}, {"session": []}]
_MARK: Final[Mapping[str, Any]] = {
    "name": MARK.decode().title(), "in": "header", "required": True, "schema": {"type": "string", "minLength": 1},
    "description": "Any value: what a form of somebody else's page cannot send.",
}  # fmt: skip


def description(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document, for the paths that are served."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "b2bua", "version": __version__,
            "description": "What this server shows and how it is steered. What looks needs the role read-only, what changes "
            "something the role operator. Where no log-in is set up, whoever asks from the server's own machine may do all.",
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `b2bua token add`."},
                "session": {"type": "apiKey", "in": "cookie", "name": "b2bua-PORT", "description": "Set by POST /api/session."},
            },
        },
        "paths": {f"/api/{route.name}": {one.method.lower(): _operation(route, one) for one in route.operations}
                  for route in routes},
    }  # fmt: skip


def _operation(route: Route, one: Operation) -> dict[str, Any]:
    parameters: list[Mapping[str, Any]] = [
        {"name": word.name, "in": "query", "required": word.required, "schema": word.schema, "description": word.meaning}
        for word in one.query
    ]
    if one.method != "GET":
        parameters.append(_MARK)
    made: dict[str, Any] = {
        "operationId": f"{one.method.lower()}_{route.name.partition('.')[0]}", "summary": one.meaning, "parameters": parameters,
        "responses": {str(status): _answer(answer) for status, answer in sorted(_answers(one).items())},
        "security": [{}] if one.open else _WAYS_IN,
    }  # fmt: skip
    if one.role is not None:
        made["x-role"] = str(one.role)
    if one.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": one.body}}}
    return made


def _answers(one: Operation) -> dict[int, Answer]:
    """Its own, and what it is refused with before it is reached."""
    refused = {403: Answer("Not allowed, and why.")}
    if not one.open:
        refused[401] = Answer("Neither logged in nor a token that is known.")
    return refused | dict(one.answers)


def _answer(answer: Answer) -> dict[str, Any]:
    schema = {"type": "string"} if answer.schema is None or len(answer.media_types) > 1 else answer.schema
    return {"description": answer.meaning, "content": {kind: _content(kind, answer, schema) for kind in answer.media_types}}


def _content(kind: str, answer: Answer, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of a path with several forms, the schema is that of one line of NDJSON, which OpenAPI 3.1 has no word for."""
    if kind == "application/x-ndjson":
        return {"x-line": answer.schema or {}}
    if len(answer.media_types) > 1:
        return {"schema": {}} if kind == "application/json" else {}
    return {"schema": schema}


class OpenApiPage(Resource):
    """GET answers the description of the paths that are served here."""

    isLeaf = True

    def __init__(self, routes: Iterable[Route]) -> None:
        super().__init__()
        self._text = json.dumps(description(routes)).encode() + b"\n"

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return self._text
