"""Accounts: a file without passwords in it, and a door that gets slower for who guesses."""

from __future__ import annotations

import json
import os
import stat

import pytest
from typer.testing import CliRunner

from explorer import cli
from explorer.dashboard.serving.accounts import Account, Accounts, read, write
from explorer.dashboard.serving.entry import entry
from explorer.dashboard.serving.guessing import FREE, PER_PLACE, Guessing
from explorer.dashboard.serving.login import Roster
from explorer.errors import FormatVersionError, ParameterError

QUICK = {"n": 2**4, "p": 1}


def users(file, *arguments, password=None):
    """Run ``explorer users FILE …``; give what it says."""
    told = CliRunner().invoke(cli.app, ["users", str(file), *arguments], input=password)
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    assert told.exit_code == 0, told.output
    return told.output


def test_people_are_added_listed_and_removed_and_no_password_is_written(tmp_path):
    file = tmp_path / "users.json"
    users(file, "add", "ada", "--role", "owner", password="correct horse\ncorrect horse\n")
    users(file, "add", "ben", "--password-stdin", password="battery staple\n")
    text = file.read_text()
    assert "correct horse" not in text and "battery staple" not in text
    assert "owner      ada\nannotator  ben\n2 people" in users(file, "list")
    accounts = read(file)
    assert accounts.opens("ada", "correct horse")
    assert not accounts.opens("ada", "battery staple")
    assert not accounts.opens("carl", "correct horse")
    users(file, "passwd", "ada", "--password-stdin", password="another one, longer\n")
    users(file, "role", "ben", "viewer")
    users(file, "remove", "ben")
    assert read(file).role_of("ben") is None
    assert read(file).opens("ada", "another one, longer")
    assert read(file).role_of("ada") == "owner"
    assert read(file).secret == accounts.secret  # nobody is logged out by it


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_is_readable_to_its_owner_alone(tmp_path):
    file = tmp_path / "users.json"
    write(Accounts({"ada": Account.of("lovelace", **QUICK)}), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["users.json"]


def test_two_people_with_one_password_cannot_be_told_by_the_file():
    ada, ben = Account.of("the same words", **QUICK), Account.of("the same words", **QUICK)
    assert ada.key != ben.key and ada.salt != ben.salt


def test_settings_can_be_raised_later_and_old_accounts_still_open(tmp_path):
    file = tmp_path / "users.json"
    write(Accounts({"old": Account.of("lovelace", n=2**4, r=4, p=2)}), file)
    assert json.loads(file.read_text())["people"]["old"]["scrypt"] == {"n": 16, "r": 4, "p": 2}
    assert read(file).opens("old", "lovelace")


def test_plain_passwords_are_still_read_with_a_warning_that_tells_the_cure(tmp_path, caplog):
    file = tmp_path / "users.json"
    file.write_text(json.dumps({"ada": "lovelace", "ben": "a b c"}))
    accounts = read(file)
    assert accounts.opens("ben", "a b c") and not accounts.opens("ben", "lovelace")
    assert accounts.role_of("ada") == "annotator"
    assert f'explorer users "{file}" convert' in caplog.text
    with pytest.raises(ParameterError, match="convert"):
        users(file, "add", "carl", password="x")
    users(file, "convert", "--role", "viewer")
    assert "lovelace" not in file.read_text()
    assert read(file).opens("ada", "lovelace") and read(file).role_of("ada") == "viewer"
    with pytest.raises(ParameterError, match="nothing to convert"):
        users(file, "convert")


@pytest.mark.parametrize("content", ['"one password"', "{}", '{"ada": ""}', "[1]", "no json"])
def test_what_is_no_users_file_is_refused(tmp_path, content):
    file = tmp_path / "users.json"
    file.write_text(content)
    with pytest.raises(ParameterError, match=r"users\.json"):
        read(file)
    with pytest.raises(ParameterError, match="cannot be read"):
        read(tmp_path / "missing.json")


def test_a_newer_or_damaged_file_is_refused(tmp_path):
    file = tmp_path / "users.json"
    write(Accounts({"ada": Account.of("lovelace", **QUICK)}), file)
    good = json.loads(file.read_text())
    file.write_text(json.dumps({**good, "version": 2}))
    with pytest.raises(FormatVersionError, match="update"):
        read(file)
    good["people"]["ada"]["role"] = "emperor"
    file.write_text(json.dumps(good))
    with pytest.raises(ParameterError, match="damaged"):
        read(file)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 61, "ADA"])
def test_a_name_is_one_line_and_nobody_elses(name):
    accounts = Accounts({"ada": Account.of("lovelace", **QUICK)})
    with pytest.raises(ParameterError):
        accounts.free_name(name)


def test_a_short_password_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="at least 8"):
        users(tmp_path / "u.json", "add", "ada", "--password-stdin", password="short\n")
    assert not (tmp_path / "u.json").exists()


def test_the_server_follows_the_file_and_keeps_to_the_last_good_one(tmp_path, caplog):
    file = tmp_path / "users.json"
    write(Accounts({"ada": Account.of("lovelace", **QUICK)}), file)
    roster = Roster(file)
    stamp = roster.accounts.people["ada"].stamp
    write(roster.accounts.with_("ada", Account.of("byron", "owner", **QUICK)), file)
    assert roster.role_of("ada") == "owner"
    assert roster.accounts.people["ada"].stamp != stamp  # older cookies are void
    file.write_text("half a fi")
    assert roster.role_of("ada") == "owner"
    assert "cannot be read" in caplog.text


def test_who_guesses_has_to_wait_longer_each_time_and_locks_nobody_else_out():
    now = [0.0]
    guessing = Guessing(lambda: now[0])
    waits = []
    for _ in range(FREE + 4):
        waits.append(guessing.wait_s("10.0.0.9", "ada"))
        now[0] += waits[-1]
        guessing.failed("10.0.0.9", "ada")
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE:] == sorted(waits[FREE:]) and waits[FREE] >= 2
    assert guessing.wait_s("10.0.0.1", "ada") == 0  # ada herself, elsewhere
    assert guessing.wait_s("10.0.0.9", "ben") == 0
    now[0] += 4000
    assert guessing.wait_s("10.0.0.9", "ada") == 0


def test_many_names_from_one_address_have_to_wait_too():
    guessing = Guessing(lambda: 0.0)
    for number in range(PER_PLACE):
        guessing.failed("10.0.0.9", f"name {number}")
    assert guessing.wait_s("10.0.0.9", "yet another") > 0
    guessing.succeeded("10.0.0.9", "ada")
    assert guessing.wait_s("10.0.0.9", "yet another") == 0


def test_ways_in_that_contradict_each_other_are_refused(tmp_path):
    file = tmp_path / "users.json"
    write(Accounts({"ada": Account.of("lovelace", **QUICK)}), file)
    assert entry().role_of(None) == "owner"
    assert entry(role="viewer").role_of(None) == "viewer"
    assert entry(file).role_of("ada") == "annotator"
    assert entry(file).role_of("eve") is None
    with pytest.raises(ParameterError, match="has the roles in it"):
        entry(file, role="owner")
    with pytest.raises(ParameterError, match="goes with OAuth"):
        entry(roles=file)
    with pytest.raises(ParameterError, match="no role"):
        entry(role="emperor")
