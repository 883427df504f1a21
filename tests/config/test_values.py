"""How a value is read: raw or as TOML, filled in, from a file, as a credential; and that secrets stay unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rustok_daemon.config.sections import DatabaseSettings, HttpSettings, SupervisorSettings
from tests.config.config_actors import GreeterSettings
from tests.config.conftest import GREETER, Place


def greeter(place: Place, *settings: str) -> GreeterSettings:
    return place.load(*settings).section(GreeterSettings)


@pytest.mark.parametrize("text", ["plain", "true", "12", '"quoted"', "a = b", "[x]", "üß"])
def test_a_string_from_outside_is_taken_as_it_stands(place: Place, text: str) -> None:
    place.set({"RUSTOK_GREETER__WORD": text})
    assert greeter(place).word == text
    assert greeter(place, f"greeter.word={text}").word == text


def test_a_uuid_from_outside_needs_no_quotes(place: Place) -> None:
    text = "0c8f6a2e-1111-4222-8333-444455556666"
    assert str(greeter(place, f"greeter.whom={text}").whom) == text
    (line,) = place.wrong("greeter.whom=nobody")
    assert line.startswith("--set greeter.whom: greeter.whom: 'nobody' is wrong: must be a UUID")


def test_all_else_from_outside_is_toml(place: Place) -> None:
    place.set({"RUSTOK_HTTP__METRICS_TOKEN": "true", "RUSTOK_HTTP__MAX_CONNECTIONS": "1_000"})
    http = place.load('http.forwarded.trusted=["10.0.0.0/8"]', "http.socket_mode=0600").section(HttpSettings)
    assert (http.metrics_token, http.max_connections, len(http.forwarded.trusted)) == (True, 1000, 1)
    assert http.socket_mode == 0o600


def test_octal_permissions_in_both_ways_of_writing(place: Place) -> None:
    for text in ('"0600"', "0o600", '"600"'):
        place.write(f"[http]\nsocket_mode = {text}")
        assert place.load().section(HttpSettings).socket_mode == 0o600


def test_variables_are_filled_in_wherever_a_string_stands(place: Place) -> None:
    place.write(
        '[greeter]\nword = "${A}-${B:-b}-${C:-}"\nkey = "${A}"\n[http]\nforwarded.trusted = ["${NET}"]',
        tree=GREETER + '[[supervisor.children]]\nid = "p"\ncommand = ["${A}"]\nenv.X = "${A}"\n',
    )
    place.set({"A": "one", "NET": "10.0.0.0/8"})
    found = place.load()
    settings = found.section(GreeterSettings)
    assert (settings.word, settings.key.reveal()) == ("one-b-", "one")
    process = found.section(SupervisorSettings).children[1]
    assert process.command == ("one",)
    assert process.env["X"].reveal() == "one"


def test_a_variable_that_is_not_set_is_named_with_its_line(place: Place) -> None:
    place.write('[greeter]\n# a remark\nword = "${NOBODY}"')
    assert place.wrong() == (
        "supervisor.toml:3: greeter.word: ${NOBODY} is not set; set it, or write ${NOBODY:-default}",
    )


def test_a_secret_out_of_a_file_beside_the_configuration(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("hunter2\n")
    place.write('[greeter]\nkey = {file = "secrets/key"}')
    assert greeter(place).key.reveal() == "hunter2"


def test_a_secret_file_that_is_not_there_is_named(place: Place, tmp_path: Path) -> None:
    place.write('[greeter]\nkey = {file = "gone"}')
    assert place.wrong() == (
        f"supervisor.toml:2: greeter.key: {tmp_path}/gone cannot be read: No such file or directory".replace(
            f"{tmp_path}/", ""
        ),
    )


def test_a_credential_out_of_systemds_directory(place: Place, tmp_path: Path) -> None:
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds" / "db").write_text("postgresql://u:p@h/db")
    place.write('[database]\nurl = {credential = "db"}')
    place.set({"CREDENTIALS_DIRECTORY": str(tmp_path / "creds")})
    assert place.load().section(DatabaseSettings).url.reveal() == "postgresql://u:p@h/db"


@pytest.mark.parametrize(
    ("name", "directory", "said"),
    [
        ("db", "", "$CREDENTIALS_DIRECTORY is not set"),
        ("../x", "/run", "is not the name of a credential"),
        ("x", "/nonexistent", "cannot be read"),
    ],
)
def test_a_credential_that_cannot_be(place: Place, name: str, directory: str, said: str) -> None:
    place.write(f'[database]\nurl = {{credential = "{name}"}}')
    place.set({"CREDENTIALS_DIRECTORY": directory})
    (line,) = place.wrong()
    assert line.startswith("supervisor.toml:2: database.url: ")
    assert said in line


def test_no_secret_is_in_what_is_shown_or_said(place: Place) -> None:
    place.write(
        '[greeter]\nkey = "hunter2"\n[database]\nurl = "postgresql://u:hunter2@h/db"\n[redis]\nurl = "redis://:hunter2@h"',
        tree=GREETER.replace("children]]", "children]]\noptions.key = 'hunter2'\noptions.word = 'Hi'", 1)
        + '[[supervisor.children]]\nid = "p"\ncommand = ["true"]\nenv.TOKEN = "hunter2"\n',
    )
    found = place.load()
    shown = json.dumps(found.dump())
    assert "hunter2" not in shown + repr(found.section(DatabaseSettings)) + repr(found.section(SupervisorSettings))
    assert found.dump()["greeter"]["key"] == "***"
    assert found.dump()["supervisor"]["children"][0]["options"] == {"key": "***", "word": "Hi"}


@pytest.mark.parametrize("key", ["database.url", "redis.url"])
def test_a_url_that_is_wrong_is_not_quoted(place: Place, key: str) -> None:
    (line,) = place.wrong(f"{key}=mysql://u:hunter2@h")
    assert line.startswith(f"--set {key}: {key}: is not a ")
    assert "hunter2" not in line


def test_options_of_a_child_are_laid_over_its_section_for_it_alone(place: Place) -> None:
    other = GREETER.replace('"greeter"', '"other"') + 'options = {word = "Bye", limit = {most = 1}}\n'
    place.write('[greeter]\nword = "Hi"\npatience = "7s"', tree=GREETER + other)
    found = place.load()
    assert found.of_child("greeter").section(GreeterSettings).word == "Hi"
    settings = found.of_child("other").section(GreeterSettings)
    assert (settings.word, settings.patience, settings.limit.most) == ("Bye", 7, 1)


def test_what_differs_between_two_is_named_and_secrets_are_compared_unseen(place: Place) -> None:
    one = place.load("greeter.key=a", "greeter.word=x")
    assert one.diff(place.load("greeter.key=a", "greeter.word=x")) == []
    assert one.diff(place.load("greeter.key=b", "greeter.word=x", "greeter.limit.most=1")) == [
        "greeter.key",
        "greeter.limit.most",
    ]
