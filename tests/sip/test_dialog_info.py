from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from b2bua.sip.dialog_info import NAMESPACE, STATES, DialogInfo, DialogState, Participant, parse_dialog_info
from b2bua.sip.errors import MalformedValue

SCHEMA = Path(__file__).parent.parent / "schemas" / "dialog-info.xsd"
NASTY = "a<b>&\"'c]]> caf\u00e9 \u00a7"
HOLDER = DialogState(
    "d1",
    "confirmed",
    "c1@192.0.2.10",
    "f1",
    "t1",
    "initiator",
    Participant("sip:6001@example.com", "sip:6001@192.0.2.10", "no", NASTY),
    Participant("sip:6002@example.com", "sip:6002@192.0.2.11", "yes"),
)
IDLE = DialogInfo("sip:6001@example.com", (DialogState("idle", "terminated"),))
DOCUMENTS = {
    "idle": IDLE,
    "empty": DialogInfo("sip:6001@example.com", ()),
    "held": DialogInfo("sip:6001@example.com", (HOLDER,), 7),
    "partial": DialogInfo(
        "sip:6001@example.com", (HOLDER, HOLDER._replace(id="d2", direction="recipient")), 1, "partial"
    ),
    "ended": DialogInfo("sip:6001@example.com", (HOLDER._replace(state="terminated", event="local-bye"),)),
    "escaped": DialogInfo(
        "sip:a%22b@example.com;x=1&y=2", (HOLDER._replace(id=NASTY, call_id=NASTY, local_tag=NASTY),)
    ),
    "unprintable": DialogInfo(
        "sip:6001@example.com",
        (HOLDER._replace(local=Participant("sip:6001@example.com", display="\0\x07\x1b\ufffe\udce9")),),
    ),
    **{state: DialogInfo("sip:6001@example.com", (DialogState("d", state),)) for state in STATES},
}
READABLE = sorted(set(DOCUMENTS) - {"unprintable"})


@pytest.mark.parametrize("name", READABLE)
def test_a_document_reads_as_it_was_written(name):
    assert parse_dialog_info(DOCUMENTS[name].encode()) == DOCUMENTS[name]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_documents_have_the_shape_of_the_schema(name):
    """RFC 4235 §4.4, by hand: names without a prefix, the order of the children, no attribute that is not there."""
    root = fromstring(DOCUMENTS[name].encode())
    assert set(root.attrib) == {"version", "state", "entity"}
    assert DOCUMENTS[name].encode().startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info xmlns=')
    for dialog in root:
        assert set(dialog.attrib) <= {"id", "call-id", "local-tag", "remote-tag", "direction"}
        tags = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in dialog]
        assert tags in (["state"], ["state", "local"], ["state", "local", "remote"], ["state", "remote"])
        for side in dialog[1:]:
            assert [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in side] in (
                ["identity", "target"],
                ["identity"],
            )
            assert all(set(param.attrib) == {"pname", "pval"} for target in side[1:] for param in target)


def test_documents_are_valid_by_the_schema(tmp_path):
    xmllint = shutil.which("xmllint")
    assert xmllint, "xmllint is missing: make system installs libxml2-utils"
    for name, document in DOCUMENTS.items():
        (tmp_path / f"{name}.xml").write_bytes(document.encode())
    command = [xmllint, "--nonet", "--noout", "--schema", str(SCHEMA), *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_the_lamp_of_a_holder():
    text = DOCUMENTS["held"].encode().decode()
    assert '<param pname="+sip.rendering" pval="no"/>' in text
    assert text.index("<local>") < text.index('pval="no"') < text.index("<remote>") < text.index('pval="yes"')
    assert 'version="7"' in text
    assert HOLDER.key == ("c1@192.0.2.10", "f1", "t1")


def test_what_xml_cannot_carry_is_replaced():
    display = parse_dialog_info(DOCUMENTS["unprintable"].encode()).dialogs[0].local.display
    assert display == "\ufffd" * 5


def target(parameter: str) -> bytes:
    return (
        f'<dialog-info xmlns="{NAMESPACE}" version="0" state="full" entity="sip:a@example.com"><dialog id="1">'
        f'<state>confirmed</state><local><target uri="sip:a@b">{parameter}</target></local></dialog></dialog-info>'
    ).encode()


@pytest.mark.parametrize(
    ("parameter", "rendering"),
    [
        ('<param pname="+sip.rendering" pval="no"/>', "no"),
        ('<param pname="sip.rendering" pval="yes"/>', "yes"),
        ('<param pname="+sip.rendering" pvalue="no"/>', "no"),
        ('<param pname="sip.rendering" pvalue="no"/>', "no"),
        ('<param pname="+sip.rendering" pval="unknown"/>', ""),
        ('<param pname="+sip.byeless" pval="true"/>', ""),
        ('<param pname="+sip.rendering" pval="&quot;/&gt;&lt;x&gt;"/>', ""),
        ("<param/>", ""),
        ("", ""),
    ],
)
def test_the_forms_of_rendering_that_phones_send(parameter, rendering):
    assert parse_dialog_info(target(parameter)).dialogs[0].local.rendering == rendering


def test_leniency():
    data = (
        '<x:dialog-info xmlns:x="other" entity=" sip:a@example.com" version="nine" state="whole"><!-- note -->'
        '<x:dialog id="1" direction="&lt;"><x:state event="&lt;bad" code="200"> early </x:state><x:other/>'
        '<x:remote><x:identity display="B"> sip:b@example.com </x:identity><x:cseq>1</x:cseq></x:remote></x:dialog>'
        "<x:note/></x:dialog-info>"
    )
    info = parse_dialog_info(data.encode("utf-16"))
    assert (info.version, info.state) == (0, "full")
    assert info.dialogs == (DialogState("1", "early", remote=Participant("sip:b@example.com", display="B")),)
    assert parse_dialog_info(info.encode()) == info


def test_a_version_beyond_all_measure_is_read_as_0():
    assert parse_dialog_info(IDLE.encode().replace(b'version="0"', b'version="%s"' % (b"9" * 5000))).version == 0


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><dialog-info entity="sip:a@example.com">&c;</dialog-info>'
)
EXTERNAL = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><dialog-info entity="sip:a@b">&x;</dialog-info>'
REMOTE_DTD = '<!DOCTYPE d SYSTEM "http://192.0.2.1/d.dtd"><dialog-info entity="sip:a@b"/>'


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        EXTERNAL,
        REMOTE_DTD,
        "",
        "no xml",
        "<dialog-info/>",
        '<presence entity="sip:a@b"/>',
        '<dialog-info entity="sip:a@b">',
        '<dialog-info entity="sip:a@b"><dialog id="1"/></dialog-info>',
        '<dialog-info entity="sip:a@b"><dialog id="1"><state>on</state></dialog></dialog-info>',
        '<dialog-info entity="sip:a@b"><dialog id="1"><state>calling</state></dialog></dialog-info>',
        '<dialog-info entity="sip:a@b"><dialog><state>early</state></dialog></dialog-info>',
        '<?xml version="1.0" encoding="no-such"?><dialog-info entity="sip:a@b"/>',
        "<a>" * 20_000,
    ],
    ids=lambda body: body[:24],
)
def test_what_is_refused(body):
    with pytest.raises(MalformedValue):
        parse_dialog_info(body.encode())


def test_what_is_no_word_of_the_schema_is_escaped_all_the_same() -> None:
    """Whoever makes a document answers for its words; none may break out of its place in it."""
    odd = DialogState("d1", NASTY, direction=NASTY, local=Participant("sip:a@b", "sip:a@c", NASTY), event=NASTY)
    root = fromstring(DialogInfo("sip:a@b", (odd,), state=NASTY).encode())
    state = root.find(f"{{{NAMESPACE}}}dialog/{{{NAMESPACE}}}state")
    assert (root.get("state"), state.text, state.get("event")) == (NASTY, NASTY, NASTY)
    assert root.find(f".//{{{NAMESPACE}}}param").get("pval") == NASTY


@pytest.mark.parametrize(
    ("event", "read"),
    [*((each, each) for each in ("cancelled", "rejected", "replaced", "local-bye", "remote-bye", "error", "timeout")),
     ("removed", ""), ("", "")],
)  # fmt: skip
def test_why_a_dialog_ended(event, read):
    """RFC 4235 §4.1.2 has seven; any other word says nothing to us."""
    state = f'<state event="{event}">terminated</state>'
    head = f'<dialog-info xmlns="{NAMESPACE}" version="1" state="full" entity="sip:a@b">'
    [dialog] = parse_dialog_info(f'{head}<dialog id="1">{state}</dialog></dialog-info>'.encode()).dialogs
    assert dialog.event == read
