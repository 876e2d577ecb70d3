"""The Replaces header: the dialog that a new one is to take the place of (RFC 3891 §6.1)."""

from __future__ import annotations

from typing import Final, NamedTuple

from b2bua.sip.errors import MalformedValue

OPTION: Final = "replaces"
"""The option tag (RFC 3891 §6.2)."""


class Replaces(NamedTuple):
    """A dialog as the recipient of the INVITE knows it: its own tag is the To tag."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False
    """`early-only`: the dialog may be replaced only before it is answered."""

    def __str__(self) -> str:
        only = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{only}"


def parse_replaces(text: str) -> Replaces:
    """Parse the header's value; MalformedValue (400) unless it names one dialog: each tag once, neither of them empty."""
    call_id, *parts = (part.strip() for part in text.split(";"))
    tags: dict[str, str] = {}
    early_only = False
    for part in parts:
        name, _, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if name in ("to-tag", "from-tag"):
            if name in tags or not value:
                raise MalformedValue("Replaces")
            tags[name] = value
        elif name == "early-only":
            early_only = True
    if not call_id or len(tags) != 2 or "," in text or any(blank in call_id for blank in " \t"):
        raise MalformedValue("Replaces")
    return Replaces(call_id, tags["to-tag"], tags["from-tag"], early_only)
