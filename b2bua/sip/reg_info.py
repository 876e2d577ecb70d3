"""application/reginfo+xml (RFC 3680 §5): which contacts an address of record has, and what became of them. Only written."""

from __future__ import annotations

from typing import Final, NamedTuple

from b2bua.sip.xml_text import xml_document, xml_text

CONTENT_TYPE: Final = "application/reginfo+xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:reginfo"


class ContactInfo(NamedTuple):
    """One `<contact>`."""

    id: str
    uri: str
    state: str
    """active or terminated."""
    event: str
    """What brought it there: registered, refreshed, expired, unregistered."""
    expires: int | None = None
    """Seconds left; None for one that is terminated."""
    q: str = ""
    call_id: str = ""
    """Of the REGISTER that was the last one, with its CSeq."""
    cseq: int = 0
    display: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    """Of the Contact, those that RFC 3261 does not have: name and value."""


class RegInfo(NamedTuple):
    """A document about one address of record."""

    aor: str
    id: str
    state: str
    """init, active or terminated: of the registration as a whole."""
    contacts: tuple[ContactInfo, ...] = ()
    full: bool = True
    version: int = 0

    def encode(self) -> bytes:
        """The document, valid by the schema of RFC 3680 §5.4."""
        contacts = "".join(map(_contact, self.contacts))
        return xml_document(
            f'<reginfo xmlns="{NAMESPACE}" version="{self.version}" state="{"full" if self.full else "partial"}">\n'
            f'<registration aor="{xml_text(self.aor)}" id="{xml_text(self.id)}" state="{self.state}">\n{contacts}'
            "</registration>\n</reginfo>"
        )


def _contact(contact: ContactInfo) -> str:
    attributes = [("id", contact.id), ("state", contact.state), ("event", contact.event)]
    if contact.expires is not None:
        attributes.append(("expires", str(contact.expires)))
    attributes += [(name, value) for name, value in (("q", contact.q), ("callid", contact.call_id)) if value]
    attributes.append(("cseq", str(contact.cseq)))
    head = "".join(f' {name}="{xml_text(value)}"' for name, value in attributes)
    display = f"<display-name>{xml_text(contact.display)}</display-name>" if contact.display else ""
    parameters = "".join(
        f'<unknown-param name="{xml_text(name)}">{xml_text(value)}</unknown-param>' for name, value in contact.parameters
    )
    return f"<contact{head}><uri>{xml_text(contact.uri)}</uri>{display}{parameters}</contact>\n"
