"""Text as it stands in the XML documents of event packages, and safe reading of those of others."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from b2bua.sip.errors import MalformedValue

_ILLEGAL: Final = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 §2.2 cannot carry in any form; a display name may hold it (RFC 3261 §25.1, quoted-pair)."""


def xml_text(value: str) -> str:
    """A value as it stands in an element or a quoted attribute. Most have nothing to escape."""
    if "&" in value or "<" in value or ">" in value or '"' in value:
        return escape(value).replace('"', "&quot;")
    return value


def xml_document(text: str) -> bytes:
    """A document as UTF-8, with its first line; what XML cannot carry is U+FFFD."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_ILLEGAL.sub(chr(0xFFFD), text)}\n'.encode()


def read_xml(body: bytes, root: str) -> Element:
    """The root element of a document, whose local name is `root`; MalformedValue (400) for anything else.

    Entities and external references are refused (defusedxml), so a document cannot make the reader fetch or explode.
    """
    try:
        found: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise MalformedValue(f"{root} document") from error
    if local_name(found) != root:
        raise MalformedValue(f"{root} document")
    return found


def local_name(element: Element) -> str:
    """The name without its namespace: phones write the right one, another, or none."""
    return str(element.tag).rpartition("}")[2]


def content(element: Element) -> str:
    """The text of an element without the white space around it."""
    return (element.text or "").strip()
