"""RFC 4235: what publications become, and what each watcher may see of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from b2bua.session_manager.event_packages.dialog_event import DIALOG, IDLE, call_of, compose, encode, parse, view
from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant, parse_dialog_info
from b2bua.sip.errors import MalformedValue

AOR = "sip:6001@example.com"
LOCAL = Participant(AOR, "sip:6001@192.0.2.10:5060", "no", "Alice")
REMOTE = Participant("sip:6002@example.com", "sip:6002@192.0.2.11:5060")


@dataclass
class Entry:
    number: int
    value: DialogInfo
    link: str = ""


def dialog(
    name: str = "d1", state: str = "confirmed", call_id: str = "c1", tags: tuple[str, str] = ("a", "b")
) -> DialogState:
    return DialogState(name, state, call_id, *tags, "initiator", LOCAL, REMOTE)


def entry(number: int, *dialogs: DialogState, link: str = "") -> Entry:
    return Entry(number, DialogInfo(AOR, dialogs), link)


def test_nothing_published_is_one_terminated_dialog() -> None:
    document = compose(AOR, [])
    assert document == DialogInfo(AOR, (IDLE,))
    text = encode(document, 3).decode()
    assert '<dialog id="idle"><state>terminated</state></dialog>' in text
    assert 'version="3" state="full" entity="sip:6001@example.com"' in text


def test_entity_has_no_parameters() -> None:
    assert compose(f"{AOR};transport=tcp", []).entity == AOR


def test_publications_of_several_calls_stand_side_by_side() -> None:
    document = compose(AOR, [entry(1, dialog(), link="cm"), entry(2, dialog(call_id="c2", state="early"), link="cm")])
    assert {(item.call_id, item.state) for item in document.dialogs} == {("c1", "confirmed"), ("c2", "early")}


@pytest.mark.parametrize("newest_is_phone", [True, False])
def test_feature_server_wins_over_the_phone(newest_is_phone: bool) -> None:
    published = [entry(1, dialog(state="confirmed"), link="cm"), entry(2, dialog(state="early"))]
    document = compose(AOR, published if newest_is_phone else published[::-1])
    assert [item.state for item in document.dialogs] == ["confirmed"]


def test_among_equals_the_newest_wins() -> None:
    document = compose(AOR, [entry(1, dialog(state="early")), entry(2, dialog(state="confirmed"))])
    assert [item.state for item in document.dialogs] == ["confirmed"]


def test_tags_tell_dialogs_of_one_call_apart() -> None:
    document = compose(AOR, [entry(1, dialog(tags=("a", "b")), dialog("d2", tags=("a", "c")))])
    assert len(document.dialogs) == 2


def test_dialogs_without_call_id_are_never_joined() -> None:
    bare = DialogState("x", "confirmed")
    document = compose(AOR, [entry(1, bare, bare), entry(2, bare)])
    assert len(document.dialogs) == 3
    assert len({item.id for item in document.dialogs}) == 3


def test_ids_are_unique_and_stay_whoever_comes_and_goes() -> None:
    first, second = entry(1, dialog()), entry(2, dialog(call_id="c2"))
    both = {item.call_id: item.id for item in compose(AOR, [first, second]).dialogs}
    turned = {item.call_id: item.id for item in compose(AOR, [second, first]).dialogs}
    assert both == turned and both["c1"] != both["c2"]
    assert compose(AOR, [second]).dialogs[0].id == both["c2"]


def test_published_idle_is_not_taken_for_ours() -> None:
    document = compose(AOR, [entry(1, IDLE)])
    assert document.dialogs[0].id != IDLE.id


def test_terminated_is_shown_while_it_is_published() -> None:
    ended = DialogState("d1", "terminated", "c1", "a", "b", event="remote-bye")
    document = compose(AOR, [entry(1, ended, link="cm")])
    assert [(item.state, item.event) for item in document.dialogs] == [("terminated", "remote-bye")]


def test_own_user_sees_everything() -> None:
    document = compose(AOR, [entry(1, dialog(), link="cm")])
    assert view(document, True) is document


def test_others_see_state_rendering_and_identities_only() -> None:
    [shown] = view(compose(AOR, [entry(1, dialog(), link="cm")]), False).dialogs
    assert (shown.state, shown.direction, shown.call_id, shown.local_tag, shown.remote_tag) == (
        "confirmed", "initiator", "", "", "",
    )  # fmt: skip
    assert shown.local == Participant(AOR, AOR, "no", "Alice")
    assert shown.remote == Participant("sip:6002@example.com", "sip:6002@example.com")


def test_others_learn_no_contact_and_no_call_id_from_any_part() -> None:
    tell_tale = DialogState("secret-call", "early", "secret-call", "ta1", "ta2", "recipient", LOCAL, REMOTE)
    document = view(compose(AOR, [entry(1, tell_tale)]), False)
    text = encode(document, 0).decode()
    for hidden in ("secret-call", "ta1", "ta2", "192.0.2."):
        assert hidden not in text
    assert document == view(compose(AOR, [entry(1, tell_tale)]), False)


def test_others_see_a_rendering_without_identity() -> None:
    held = DialogState("d", "confirmed", "c", "a", "b", "", LOCAL, Participant("", "sip:6002@192.0.2.11", "no"))
    [shown] = view(compose(AOR, [entry(1, held)]), False).dialogs
    assert shown.remote == Participant("", "sip:anonymous@anonymous.invalid", "no")


def test_idle_is_idle_for_everybody() -> None:
    assert view(compose(AOR, []), False).dialogs == (IDLE,)


def test_what_is_encoded_reads_back() -> None:
    document = compose(AOR, [entry(1, dialog(), link="cm")])
    assert parse_dialog_info(encode(document, 7)) == DialogInfo(AOR, document.dialogs, 7)


def test_values_that_rfc_4235_does_not_list_are_left_out() -> None:
    body = (
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" '
        b'entity="sip:6001@example.com">'
        b'<dialog id="1" direction="up"><state event="x&quot; y=&quot;">early</state>'
        b'<local><target uri="sip:a@b"><param pname="+sip.rendering" pval="&quot;/&gt;&lt;x"/></target></local>'
        b"</dialog></dialog-info>"
    )
    [read] = parse(body).dialogs
    assert read == DialogState("1", "early", local=Participant("", "sip:a@b"))


def test_no_document_is_malformed() -> None:
    with pytest.raises(MalformedValue):
        parse(b"hello")


def test_call_of_a_publication() -> None:
    assert call_of(DialogInfo(AOR, (dialog(),))) == "c1"
    assert call_of(DialogInfo(AOR, ())) == ""


def test_record() -> None:
    assert (DIALOG.name, DIALOG.content_type, DIALOG.min_interval) == ("dialog", "application/dialog-info+xml", 1.0)
