"""What a path of the API is: its operations, who may ask for them, what they take and what they answer. Values, no code.

The routes themselves stand in `api_routes.py`. From this table come the description that the server serves
(`/api/openapi.json`), the 405 for a method that a path does not have, and the role that an operation needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Schema = Mapping[str, Any]
"""JSON Schema, as OpenAPI 3.1 takes it."""


class Role(StrEnum):
    """Who asks may do this."""

    READ_ONLY = "read-only"
    """See everything that there is to see, change nothing."""
    OPERATOR = "operator"
    """Everything."""

    def covers(self, needed: Role | None) -> bool:
        """Whether this role is enough where `needed` is; None needs none."""
        return needed is None or self is Role.OPERATOR or needed is Role.READ_ONLY


ROLES: Final = tuple(str(role) for role in Role)
TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
FLAG: Final[Schema] = {"type": "boolean"}


def one_of(*words: str) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": list(words)}


def maybe(schema: Schema) -> Schema:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema) -> Schema:
    """Any number of these."""
    return {"type": "array", "items": schema}


def mapped(schema: Schema) -> Schema:
    """An object with any keys and such values."""
    return {"type": "object", "additionalProperties": schema}


def record(optional: Mapping[str, Schema] | None = None, **keys: Schema) -> Schema:
    """An object that has these keys, may have the optional ones, and has no others."""
    return {
        "type": "object", "properties": {**keys, **(optional or {})}, "required": list(keys), "additionalProperties": False,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """One word of the query."""

    name: str
    meaning: str
    schema: Schema = field(default_factory=lambda: TEXT)
    required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes with one status: JSON of a schema, or a text of another type."""

    meaning: str
    schema: Schema | None = None
    media_types: tuple[str, ...] = ("text/plain",)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a path. What is refused before it is reached (401, 403, 405) goes without saying."""

    method: str
    meaning: str
    answers: Mapping[int, Answer]
    query: tuple[Parameter, ...] = ()
    body: Schema | None = None
    """A JSON document that it takes."""
    open: bool = False
    """Whether it needs no role: logging in, and whoever asks whether he has."""

    @property
    def role(self) -> Role | None:
        """The role that it needs."""
        return None if self.open else role_of(self.method)


@dataclass(frozen=True, slots=True)
class Route:
    """One path below `/api`."""

    name: str
    operations: tuple[Operation, ...]

    def operation(self, method: str) -> Operation | None:
        """The operation of a method, HEAD as GET; None where there is none."""
        asked = "GET" if method == "HEAD" else method
        return next((one for one in self.operations if one.method == asked), None)

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that it has."""
        found = tuple(one.method for one in self.operations)
        return (*found, "HEAD") if "GET" in found else found


def role_of(method: str) -> Role:
    """What looks needs to be allowed to look; everything else changes something."""
    return Role.READ_ONLY if method in ("GET", "HEAD") else Role.OPERATOR


def answered(name: str, schema: Schema, meaning: str) -> dict[int, Answer]:
    """200 with a document of one key."""
    return {200: document(meaning, record(**{name: schema}))}


def document(meaning: str, schema: Schema) -> Answer:
    """A JSON document."""
    return Answer(meaning, schema, ("application/json",))


def get(meaning: str, answers: Mapping[int, Answer], *query: Parameter) -> Operation:
    """An operation that changes nothing."""
    return Operation("GET", meaning, answers, query)


def table(name: str, row: Schema, meaning: str) -> Route:
    """A path that shows the rows of one table, `{name: [row, …]}`, and no more."""
    return Route(name, (get(meaning, answered(name, listed(row), meaning)),))
