"""RFC 4662 §5: the state of a list in one body."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.rlmi import ListState, Resource
from tests.list_document import read_list
from tests.schema_check import check_documents

LIST = "sip:panel@example.com"
DOCUMENTS = st.lists(st.none() | st.text("-ab\r\n", max_size=60).map(lambda text: f"<x>{text}</x>".encode()), max_size=4)


def of(*documents: bytes | None, full: bool = True) -> ListState:
    resources = [Resource(f"sip:{number}@example.com", one, "" if one else "rejected") for number, one in enumerate(documents)]
    return ListState(LIST, 3, full, resources)


@given(DOCUMENTS)
def test_a_body_reads_as_it_was_written(documents: list[bytes | None]) -> None:
    listed = read_list(*of(*documents).encode("application/x", "u1", "example.com"))
    assert (listed.uri, listed.version, listed.full) == (LIST, 3, True)
    written = {f"sip:{number}@example.com": one for number, one in enumerate(documents) if one is not None}
    assert {uri: one.split() for uri, one in listed.documents.items()} == {uri: one.split() for uri, one in written.items()}
    assert set(listed.ended.values()) <= {"rejected"}


def test_no_document_can_break_out_of_its_part() -> None:
    """Not even one that holds the boundary of the same list without it, or the name of a part."""
    content_type, _ = of(b"<x/>").encode("application/x", "u1", "example.com")
    boundary = content_type.split('boundary="')[1].strip('"')
    hostile = f"<x>\r\n--{boundary}\r\nContent-ID: <u1.0@example.com>\r\n\r\n<y/>\r\n--{boundary}--\r\n--u1--</x>".encode()
    listed = read_list(*of(hostile).encode("application/x", "u1", "example.com"))
    assert list(listed.documents.values()) == [hostile]


def test_meta_information_is_valid(tmp_path: Path) -> None:
    states = (of(), of(b"<x/>", None, b"<y/>"), of(b"<x/>", full=False), ListState("sip:a%22&b@example.com", 0, True, ()))
    texts = [read_list(*state.encode("application/x", "u1", "example.com")).meta_information for state in states]
    check_documents(texts, "rlmi.rng", tmp_path)
