"""application/pidf+xml (RFC 3863) with the activities of a person (RPID, RFC 4480): written as text, read leniently.

The prefixes `dm` and `rpid` are those of the examples of the RFCs: baresip and others look for the very words
`<rpid:on-the-phone/>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from b2bua.sip.errors import MalformedValue
from b2bua.sip.xml_text import content, local_name, read_xml, xml_document, xml_text

CONTENT_TYPE: Final = "application/pidf+xml"
ON_THE_PHONE: Final = "on-the-phone"
ACTIVITIES: Final = (
    "appointment", "away", "breakfast", "busy", "dinner", "holiday", "in-transit", "looking-for-work", "meal",
    "meeting", ON_THE_PHONE, "performance", "permanent-absence", "playing", "presentation", "shopping", "sleeping",
    "spectator", "steering", "travel", "tv", "vacation", "working", "worship",
)  # fmt: skip
"""What RFC 4480 §3.2 lists; of others nothing is shown."""
MOST: Final = 8
"""Tuples and notes that are read of one document, and shown in one: a phone has one of each."""
LONGEST_NOTE: Final = 200
"""Characters of a note that are read."""
LONGEST_CONTACT: Final = 256
"""Characters of a contact that are read."""
_NAMESPACES: Final = (
    'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
    'xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
)


class Reach(NamedTuple):
    """One `<tuple>`: a way to communicate. "" for what it leaves out."""

    id: str
    basic: str = ""
    """open or closed."""
    contact: str = ""
    note: str = ""


class Presence(NamedTuple):
    """A whole document."""

    entity: str
    reaches: tuple[Reach, ...] = ()
    activities: tuple[str, ...] = ()
    """Of the person, words of `ACTIVITIES`."""
    notes: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The document, valid by the schemas of RFC 3863 §4.4 and RFC 4480 §5."""
        reaches = "".join(map(_reach, self.reaches))
        notes = "".join(f"<note>{xml_text(note)}</note>\n" for note in self.notes)
        person = ""
        if self.activities:
            words = "".join(f"<rpid:{word}/>" for word in self.activities)
            person = f'<dm:person id="person"><rpid:activities>{words}</rpid:activities></dm:person>\n'
        return xml_document(f'<presence {_NAMESPACES} entity="{xml_text(self.entity)}">\n{reaches}{notes}{person}</presence>')


def _reach(reach: Reach) -> str:
    basic = f"<basic>{reach.basic}</basic>" if reach.basic else ""
    contact = f"<contact>{xml_text(reach.contact)}</contact>" if reach.contact else ""
    note = f"<note>{xml_text(reach.note)}</note>" if reach.note else ""
    return f'<tuple id="{xml_text(reach.id)}"><status>{basic}</status>{contact}{note}</tuple>\n'


def parse_pidf(body: bytes) -> Presence:
    """A document as a value; MalformedValue (400) for what is none. Ids are our own: those of others may be no XML names."""
    root = read_xml(body, "presence")
    entity = root.get("entity", "")
    if not entity:
        raise MalformedValue("presence document")
    tuples = [child for child in root if local_name(child) == "tuple"][:MOST]
    reaches = tuple(_read_reach(child, number) for number, child in enumerate(tuples))
    notes = _notes(child for child in root if local_name(child) == "note")
    activities: dict[str, None] = {}
    for person in root:
        if local_name(person) == "person":
            notes += _notes(child for child in person if local_name(child) == "note")
        for found in person.iter():
            if local_name(found) == "activities":
                activities |= dict.fromkeys(name for child in found if (name := local_name(child)) in ACTIVITIES)
    return Presence(entity, reaches, tuple(activities), notes[:MOST])


def _read_reach(element: Element, number: int) -> Reach:
    basic, contact, note = "", "", ""
    for child in element:
        name = local_name(child)
        if name == "status":
            words = [content(one).lower() for one in child if local_name(one) == "basic"]
            basic = words[0] if words and words[0] in ("open", "closed") else ""
        elif name == "contact":
            contact = content(child)[:LONGEST_CONTACT]
        elif name == "note" and not note:
            note = content(child)[:LONGEST_NOTE].strip()
    return Reach(f"t{number}", basic, contact, note)


def _notes(elements: Iterable[Element]) -> tuple[str, ...]:
    return tuple(text[:LONGEST_NOTE].strip() for element in elements if (text := content(element)))
