"""dialog-info documents (RFC 4235 §4): written as text, read with defusedxml.

Shape and namespaces follow RFC 4235 §4.4; the elements carry no prefix because several phones look for bare names.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from b2bua.sip.errors import MalformedValue
from b2bua.sip.xml_text import content, local_name, read_xml, xml_document, xml_text

CONTENT_TYPE: Final = "application/dialog-info+xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:dialog-info"
RENDERING: Final = "+sip.rendering"
"""RFC 4235 §5.2 as registered; documents with `sip.rendering` are read as well."""
STATES: Final = ("trying", "proceeding", "early", "confirmed", "terminated")

_EVENTS: Final = ("cancelled", "rejected", "replaced", "local-bye", "remote-bye", "error", "timeout")
_LONGEST: Final = 19
"""Digits of the longest version read."""


class Participant(NamedTuple):
    """`<local>` or `<remote>`: URIs as text; `rendering` is yes, no, or "" where it is not known."""

    identity: str = ""
    target: str = ""
    rendering: str = ""
    display: str = ""


class DialogState(NamedTuple):
    """One `<dialog>`; "" for what a document leaves out."""

    id: str
    state: str
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    direction: str = ""
    local: Participant = Participant()
    remote: Participant = Participant()
    event: str = ""
    """Why a terminated dialog ended (RFC 4235 §4.1.2): cancelled, rejected, local-bye, …"""

    @property
    def key(self) -> tuple[str, str, str]:
        """What joins the same dialog in several publications."""
        return self.call_id, self.local_tag, self.remote_tag


class DialogInfo(NamedTuple):
    """A whole document. `version` counts per subscription; a publication's own is 0 upwards and not looked at."""

    entity: str
    dialogs: tuple[DialogState, ...]
    version: int = 0
    state: str = "full"

    def encode(self, value_name: str = "pval") -> bytes:
        """The document as UTF-8, valid by the schema of RFC 4235 §4.4, unless `value_name` is another name for `pval`."""
        dialogs = "".join(map(_dialog, self.dialogs))
        if value_name != "pval":  # an attribute cannot hold this: quotes are escaped there
            dialogs = dialogs.replace(f'<param pname="{RENDERING}" pval="', f'<param pname="{RENDERING}" {value_name}="')
        return xml_document(
            f'<dialog-info xmlns="{NAMESPACE}" version="{self.version}" state="{xml_text(self.state)}" '
            f'entity="{xml_text(self.entity)}">\n{dialogs}</dialog-info>'
        )


def _dialog(dialog: DialogState) -> str:
    attributes = [("id", dialog.id), ("call-id", dialog.call_id), ("local-tag", dialog.local_tag)]
    attributes += [("remote-tag", dialog.remote_tag), ("direction", dialog.direction)]
    head = "".join(f' {name}="{xml_text(value)}"' for name, value in attributes if value)
    event = f' event="{xml_text(dialog.event)}"' if dialog.event else ""
    # RFC 4235 §4.4 leaves the order free, phones do not: <local> stands before <remote>.
    sides = _participant("local", dialog.local) + _participant("remote", dialog.remote)
    return f"<dialog{head}><state{event}>{xml_text(dialog.state)}</state>{sides}</dialog>\n"


def _participant(element: str, side: Participant) -> str:
    if not side.identity and not side.target:
        return ""
    display = f' display="{xml_text(side.display)}"' if side.display else ""
    identity = f"<identity{display}>{xml_text(side.identity)}</identity>\n" if side.identity else ""
    target = ""
    if side.target:
        param = f'<param pname="{RENDERING}" pval="{xml_text(side.rendering)}"/>' if side.rendering else ""
        uri = xml_text(side.target)
        target = f'<target uri="{uri}">{param}</target>\n' if param else f'<target uri="{uri}"/>\n'
    return f"\n<{element}>\n{identity}{target}</{element}>"


def parse_dialog_info(body: bytes) -> DialogInfo:
    """Read a document as lenient as phones write it; MalformedValue when it is no dialog-info document."""
    root = read_xml(body, "dialog-info")
    if not root.get("entity"):
        raise MalformedValue("dialog-info document")
    dialogs = tuple(_read_dialog(child) for child in root if local_name(child) == "dialog")
    version = root.get("version", "0")
    legal = version.isascii() and version.isdigit() and len(version) <= _LONGEST
    state = _known(root.get("state"), ("full", "partial")) or "full"
    return DialogInfo(root.get("entity", ""), dialogs, int(version) if legal else 0, state)


def _known(value: str | None, words: tuple[str, ...]) -> str:
    """The value if it is one of the words of the schema, else "": it goes into the documents of others."""
    return value if value in words else ""


def _read_dialog(element: Element) -> DialogState:
    state, event, local, remote = "", "", Participant(), Participant()
    for child in element:
        name = local_name(child)
        if name == "state":
            state, event = content(child), _known(child.get("event"), _EVENTS)
        elif name == "local":
            local = _read_participant(child)
        elif name == "remote":
            remote = _read_participant(child)
    if state not in STATES or not element.get("id"):
        raise MalformedValue("dialog-info dialog")
    get = element.get
    return DialogState(
        get("id", ""), state, get("call-id", ""), get("local-tag", ""), get("remote-tag", ""),
        _known(get("direction"), ("initiator", "recipient")), local, remote, event,
    )  # fmt: skip


def _read_participant(element: Element) -> Participant:
    identity, display, target, rendering = "", "", "", ""
    for child in element:
        if local_name(child) == "identity":
            identity, display = content(child), child.get("display", "")
        elif local_name(child) == "target":
            target = child.get("uri", "")
            for param in child:
                if param.get("pname", "").lstrip("+") == "sip.rendering":
                    # RFC 4235's schema says pval, its examples pvalue; phones send either.
                    rendering = _known(param.get("pval") or param.get("pvalue"), ("yes", "no"))
    return Participant(identity, target, rendering, display)
