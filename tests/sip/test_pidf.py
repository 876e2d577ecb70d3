"""RFC 3863 and RFC 4480: presence documents as they are written, and as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.errors import MalformedValue
from b2bua.sip.pidf import ACTIVITIES, LONGEST_NOTE, MOST, Presence, Reach, parse_pidf
from tests.schema_check import check_documents

AOR = "sip:6001@example.com"
NASTY = "a<b>&\"'c]]> caf\u00e9 \u00a7"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20).map(
    lambda text: text.replace("\ufffe", "").replace("\uffff", "") or "x"
)
REACHES = st.lists(st.tuples(st.sampled_from(("open", "closed", "")), st.sampled_from(("", AOR, "tel:+49")), WORDS), max_size=4)
DOCUMENTS = (
    Presence(AOR),
    Presence(AOR, (Reach("registration", "open", AOR),)),
    Presence(AOR, (Reach("t1-0", "closed", AOR, NASTY), Reach("t2-1", "", "")), ACTIVITIES, (NASTY, "\0\x07\ufffe")),
)


@given(REACHES, st.lists(st.sampled_from(ACTIVITIES), unique=True), st.lists(WORDS, max_size=3))
def test_a_document_reads_as_it_was_written(reaches: list[tuple[str, str, str]], activities: list[str], notes: list[str]) -> None:
    made = tuple(Reach(f"t{number}", *parts) for number, parts in enumerate(reaches))
    document = Presence(AOR, made, tuple(activities), tuple(notes))
    assert parse_pidf(document.encode()) == document


def test_documents_are_valid(tmp_path: Path) -> None:
    check_documents((document.encode() for document in DOCUMENTS), "presence.rng", tmp_path)


def test_the_words_that_phones_look_for() -> None:
    text = Presence(AOR, (Reach("t", "open"),), ("on-the-phone",)).encode().decode()
    assert "<basic>open</basic>" in text and "<rpid:on-the-phone/>" in text


def test_what_phones_publish() -> None:
    """Ids that are no XML names, other prefixes, white space, activities in the status as before RFC 4479, what is unknown."""
    body = b"""<?xml version="1.0"?>
    <p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model"
                xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:6001@example.com">
      <p:tuple id="{1-2}"><p:status><p:basic> OPEN </p:basic><r:activities><r:away/></r:activities></p:status>
        <p:contact priority="0.8"> sip:6001@192.0.2.10 </p:contact><p:note>At my desk</p:note><p:note>two</p:note></p:tuple>
      <p:note>all day</p:note>
      <d:person id="p1"><r:activities><r:busy/><r:humming/><r:other>x</r:other></r:activities><d:note>mine</d:note></d:person>
    </p:presence>"""
    document = parse_pidf(body)
    assert document.reaches == (Reach("t0", "open", "sip:6001@192.0.2.10", "At my desk"),)
    assert (document.activities, document.notes) == (("away", "busy"), ("all day", "mine"))


def test_what_is_too_much_is_cut() -> None:
    note = "x" * 600
    reaches = tuple(Reach(f"a{number}", "open", "", note) for number in range(20))
    document = parse_pidf(Presence(AOR, reaches, (), (note,) * 20).encode())
    assert len(document.reaches) == len(document.notes) == MOST
    assert {len(document.reaches[0].note), len(document.notes[0])} == {LONGEST_NOTE}


@pytest.mark.parametrize("body", [
    b"", b"no xml", b"<presence/>", b"<presence entity=''/>", b"<reginfo entity='sip:a@example.com'/>",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]><presence entity='sip:a@example.com'/>", b"<presence entity='sip:a@example.com'>",
])  # fmt: skip
def test_what_is_none(body: bytes) -> None:
    with pytest.raises(MalformedValue) as caught:
        parse_pidf(body)
    assert caught.value.status == 400
