"""What the demo makes of what it saw; the demo itself is run in tests/interop/test_demo.py."""

import pytest

from b2bua.phone.demo_report import shown, step_flaws, step_line
from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant

AOR = "sip:6001@example.com"


@pytest.mark.parametrize(
    "steps",
    [
        [1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 5, 6, 8, 7, 9],
        [1, 2, 3, 4, 5, 6, 8, 9, 7],
        [1, 2, 3, 4, 5, 7, 6, 8, 9],
        [1, 2, 3, 4, 5, 5, 6, 7, 8, 7, 9, 7],
    ],
)
def test_every_order_that_may_be_is_taken(steps):
    assert step_flaws(steps) == []


@pytest.mark.parametrize(
    ("steps", "flaws"),
    [
        ([], [f"step {step}" for step in range(1, 10)]),
        ([3, 4, 5, 6, 7, 8, 9], ["step 1", "step 2"]),
        ([1, 2, 3, 4, 6, 5, 7, 8, 9], ["step 5 before step 6"]),
        ([1, 2, 3, 4, 7, 5, 6, 8, 9], ["step 5 before step 7"]),
        ([1, 3, 2, 4, 5, 6, 7, 9, 8], ["step 2 before step 3", "step 8 before step 9"]),
    ],
)
def test_what_is_missing_or_out_of_order_is_named(steps, flaws):
    assert step_flaws(steps) == flaws


def info(*dialogs: DialogState) -> DialogInfo:
    return DialogInfo(AOR, dialogs)


def side(rendering: str) -> Participant:
    return Participant(AOR, AOR, rendering)


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (info(DialogState("idle", "terminated")), "terminated"),
        (info(DialogState("a", "early")), "early"),
        (info(DialogState("a", "confirmed", local=side("yes"))), "confirmed"),
        (info(DialogState("a", "confirmed", local=side("no"))), "held"),
        (info(DialogState("a", "confirmed", remote=side("no"))), "confirmed"),
        (info(DialogState("a", "terminated"), DialogState("b", "confirmed", local=side("no"))), "held"),
    ],
)
def test_a_lamp_in_one_word(document, word):
    assert shown(document) == word


def test_messages_of_one_step_share_a_line_that_begins_with_its_number():
    message = "NOTIFY sip:x SIP/2.0\r\nCSeq: 1 NOTIFY\r\n\r\n"
    records = [
        {"time": 10.0042, "source": "SM", "destination": phone, "message": message} for phone in ("6001", "6002")
    ]
    assert step_line(7, records, 10.0) == f"7  {'SM → 6001, 6002':<24} NOTIFY  (+4.2 ms)"
