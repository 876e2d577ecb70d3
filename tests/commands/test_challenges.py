"""`b2bua challenges`: the matrix in force, as a client team reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.cli import main
from b2bua.commands.challenges import METHODS, matrix
from b2bua.config.settings import Settings
from b2bua.config.tables import CHALLENGEABLE, REINVITE
from b2bua.session_manager.challenge_policy import NEVER


def cells(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Method → out of dialog, in dialog."""
    found = [line.split() for line in lines]
    return {words[0]: (words[1], words[2]) for words in found if words and (words[0].isupper() or words[0] == REINVITE)}


def test_every_method_has_a_line() -> None:
    assert sorted(METHODS) == sorted((*CHALLENGEABLE, *NEVER))
    assert set(cells(list(matrix(Settings())))) == {*METHODS, REINVITE}


def test_the_default() -> None:
    lines = list(matrix(Settings()))
    assert lines[0] == "all users   out of dialog  in dialog"
    assert cells(lines)["REGISTER"] == ("401", "401")
    assert cells(lines)["INVITE"] == ("407", "–") and cells(lines)[REINVITE] == ("–", "407")
    assert cells(lines)["BYE"] == ("407", "none") and cells(lines)["ACK"] == ("none", "none")
    assert lines[-1].startswith('challenge_reinvite = "always": a re-INVITE is challenged each time')
    assert "" not in lines


def test_of_users_what_differs() -> None:
    rows = {"6003": {"BYE": "407", REINVITE: "none"}, "6004": {"INFO": "401"}}
    lines = list(matrix(Settings(challenge={"INFO": "401"}, user_challenge=rows)))
    assert lines[-4:-2] == ["", "6003        out of dialog  in dialog"]
    assert lines[-2:] == ["re-INVITE   –              none", "BYE         407            407"]
    assert not any(line.startswith("6004") for line in lines)


def test_one_user_in_full() -> None:
    settings = Settings(user_challenge={"6003": {"BYE": "407"}}, challenge_reinvite="when-needed")
    lines = list(matrix(settings, "6003"))
    assert lines[0].startswith("6003 ") and cells(lines)["BYE"] == ("407", "407") and set(cells(lines)) == {*METHODS, REINVITE}
    assert cells(list(matrix(settings, "6999")))["BYE"] == ("407", "none")
    assert "when-needed" in lines[-1]


def test_the_profile_avaya_is_told() -> None:
    assert list(matrix(Settings(profiles=("avaya",))))[-1].startswith("profile avaya: good credentials on any nonce")
    lines = list(matrix(Settings(user_profiles={"6003": ("avaya",)})))
    assert lines[-2].startswith("6003 ") and lines[-1].startswith("profile avaya") and "always" in lines[-4]
    assert "avaya" in list(matrix(Settings(user_profiles={"6003": ("avaya",)}), "6003"))[-1]


def test_the_profile_asterisk_is_told() -> None:
    lines = list(matrix(Settings(user_profiles={"6003": ("asterisk", "partial")})))
    assert lines[-1].startswith("profile asterisk: good credentials on any nonce of the last 32 s")
    theirs = cells(lines[lines.index("") + 1 :])
    assert theirs["MESSAGE"] == ("401", "none") and theirs[REINVITE] == ("–", "none") and "REGISTER" not in theirs


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["challenges", *words])
    return ended.value.code, *capsys.readouterr()


def test_the_command_reads_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[user_challenge.6003]\nBYE = "407"\n')
    status, out, err = run(capsys, "--config", str(file), "--user", "6003")
    assert (status, err) == (0, "") and "BYE         407            407\n" in out


def test_bad_settings_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lab.toml"
    file.write_text('[challenge]\nBYE = "40"\n')
    status, out, err = run(capsys, "--config", str(file))
    assert (status, out, err.count("\n")) == (2, "", 1) and "lab.toml:2: challenge.BYE" in err
