"""RFC 3680 §5: a document of registrations reads as it was written. Nobody but phones reads it: the reader stands here."""

from __future__ import annotations

from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.reg_info import NAMESPACE, ContactInfo, RegInfo
from tests.sip.test_round_trips import properties, token, uris
from tests.sip.test_round_trips_of_values import clean, some

NS = f"{{{NAMESPACE}}}"


def read(document: bytes) -> RegInfo:
    root = fromstring(document)
    assert root.tag == f"{NS}reginfo"
    [registration] = root
    assert registration.tag == f"{NS}registration"
    contacts = tuple(map(read_contact, registration))
    aor, identifier, state = (registration.get(name) for name in ("aor", "id", "state"))
    assert aor and identifier and state
    return RegInfo(aor, identifier, state, contacts, root.get("state") == "full", int(root.get("version")))


def read_contact(element) -> ContactInfo:
    assert element.tag == f"{NS}contact"
    get, texts, parameters = element.get, {"uri": "", "display-name": ""}, []
    for child in element:
        name = child.tag.removeprefix(NS)
        if name == "unknown-param":
            parameters.append((child.get("name"), child.text or ""))
        else:
            assert not texts[name], "once"
            texts[name] = child.text or ""
    expires = get("expires")
    return ContactInfo(
        get("id"), texts["uri"], get("state"), get("event"), None if expires is None else int(expires), get("q", ""),
        get("callid", ""), int(get("cseq")), texts["display-name"], tuple(parameters),
    )  # fmt: skip


contacts = st.builds(
    ContactInfo, token, uris.map(str), st.sampled_from(["active", "terminated"]),
    st.sampled_from(["registered", "refreshed", "expired", "unregistered"]), st.none() | st.integers(0, 2**32 - 1),
    st.sampled_from(["", "0", "0.5", "1.000"]), clean, st.integers(0, 2**31 - 1), clean,
    st.lists(st.tuples(some, clean), max_size=3).map(tuple),
)  # fmt: skip
documents = st.builds(
    RegInfo, uris.map(str), token, st.sampled_from(["init", "active", "terminated"]), st.lists(contacts, max_size=3).map(tuple),
    st.booleans(), st.integers(0, 2**32 - 1),
)  # fmt: skip


@properties
@given(documents)
def test_a_document_reads_as_it_was_written(document):
    assert read(document.encode()) == document


anything = st.text("<>&\"'\0\ud800a", max_size=6) | st.text(max_size=12)


@properties
@given(anything, anything)
def test_any_text_makes_a_document_that_can_be_read(text, other):
    contact = ContactInfo("1", text, "active", "registered", 5, text, other, 1, other, ((text, other),))
    [read_one] = read(RegInfo(f"sip:{text}", "i", "active", (contact,)).encode()).contacts
    assert (read_one.id, read_one.state, read_one.expires) == ("1", "active", 5)
