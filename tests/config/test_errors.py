"""What is wrong is told with its place and what would be right, all of it at once (contract.md: exit 78, one line each)."""

from __future__ import annotations

import pytest

from tests.config.conftest import GREETER, Place

WHERE = [
    ("[greeter]\nwrod = 'x'", "supervisor.toml:2: greeter.wrod: unknown key; did you mean word?"),
    ("[greter]\nword = 'x'", "supervisor.toml:2: greter: there is no such section; did you mean greeter?"),
    ("[greeter]\nword = 3", "supervisor.toml:2: greeter.word: 3 is wrong: must be a string (Expected str, got int)"),
    (
        "[greeter]\npatience = 30",
        "supervisor.toml:2: greeter.patience: 30 has no unit: write it as a string, for example '30s'",
    ),
    (
        "[greeter]\npatience = '5 minutes'",
        "supervisor.toml:2: greeter.patience: '5 minutes' is not a duration: "
        "write a number and one of ms, s, m, h, d, for example 30s",
    ),
    (
        "[http]\n\nmax_body = '16MB'",
        "supervisor.toml:3: http.max_body: '16MB' is not a size: write a number and one of KiB, MiB, GiB, for example 16MiB",
    ),
    ("[http]\nmax_connections = 0", "must be a whole number (Expected int >= 1)"),
    ("[http]\nmetrics_token = 'yes'", "must be true or false"),
    ("[http]\nkeep_alive = '0s'", "supervisor.toml:2: http.keep_alive: '0s' is wrong: must be more than 0"),
    ("[http]\nbind = '5150'", "supervisor.toml:2: http.bind: '5150' is not an address: write host:port"),
    ("[http]\nforwarded.trusted = ['10.0.0.0/33']", "is not a network: write for example '10.0.0.0/8'"),
    ("[http]\nforwarded = 3", "supervisor.toml:2: http.forwarded: must be a table"),
    ("[http.bind]\nx = 1", "supervisor.toml:2: http.bind: must be a string, not a table"),
    ("[http]\nsocket_mode = 660", "supervisor.toml:2: http.socket_mode: must be a string, not 660"),
    ("[telemetry.log]\nlevel = 'loud'", "must be one of debug, info, warning, error"),
    ("[database]\nmin_size = 11", "supervisor.toml:2: database.min_size: 11 is more than max_size (10)"),
    ("[redis]\nurl = 'redis://a,b'", "supervisor.toml:2: redis.url: Redis Cluster is not supported: name one server"),
    ("[daemon]\nname = 'My Daemon'", "supervisor.toml:2: daemon.name: 'My Daemon' is wrong"),
    ("[greeter]\nlimit.most = 10", "supervisor.toml:2: greeter.limit.most: must be at most 9"),
    ("[telemetry.otlp]\nendpoint = 'http://h'", "supervisor.toml:2: telemetry.otlp.endpoint: traces are not exported"),
    ("[greeter\nword = 1", "supervisor.toml:1: not TOML: "),
    ("word = 'x\n", "supervisor.toml:1: not TOML: "),
]


@pytest.mark.parametrize(("text", "line"), WHERE)
def test_in_the_file_with_its_line(place: Place, text: str, line: str) -> None:
    place.write(text)
    (said,) = place.wrong()
    assert line in said


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("RUSTOK_GREETER__WROD", "x", "RUSTOK_GREETER__WROD: greeter.wrod: unknown key; did you mean word?"),
        ("RUSTOK_GRETER__WORD", "x", "RUSTOK_GRETER__WORD: greter: there is no such section"),
        (
            "RUSTOK_GREETER__LIMIT__MOST",
            "many",
            "RUSTOK_GREETER__LIMIT__MOST: greeter.limit.most: 'many' is wrong: "
            "must be a whole number, written as in TOML",
        ),
        ("RUSTOK_GREETER__PATIENCE", "5", "RUSTOK_GREETER__PATIENCE: greeter.patience: '5' is not a duration"),
        ("RUSTOK_HTTP__BIND__X", "5", "RUSTOK_HTTP__BIND__X: http.bind: must be a string, not a table"),
    ],
)
def test_in_the_environment_with_the_variable(place: Place, name: str, value: str, line: str) -> None:
    place.set({name: value})
    (said,) = place.wrong()
    assert said.startswith(line)


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("greeter.wrod=x", "--set greeter.wrod: greeter.wrod: unknown key; did you mean word?"),
        ("greeter.patience=5", "--set greeter.patience: greeter.patience: '5' is not a duration"),
        ("greeter.limit=5", "--set greeter.limit: greeter.limit: must be a table"),
        ("word=x", "--set word=x: write --set section.key=value"),
        ("greeter.word", "--set greeter.word: write --set section.key=value"),
        (".word=x", "--set .word=x: write --set section.key=value"),
    ],
)
def test_in_an_option(place: Place, setting: str, line: str) -> None:
    (said,) = place.wrong(setting)
    assert said.startswith(line)


def test_other_names_of_ours_are_left_alone(place: Place) -> None:
    place.set({"RUSTOK_NONSENSE": "x", "RUSTOK_REDIS_URL": "redis://h", "RUSTOK_EVENT_TRANSPORT": "iggy"})
    place.load()


def test_all_that_is_wrong_is_told_at_once_each_in_its_own_layer(place: Place) -> None:
    place.write("[greeter]\nwrod = 1\npatience = 3\n[http]\nbind = ''")
    place.write("\n\n[http]\nmax_body = 3", "supervisor.local.toml")
    place.set({"RUSTOK_NO__SUCH": "x"})
    said = place.wrong("database.max_size=many")
    assert [line.split(": ")[0] for line in said] == [
        "RUSTOK_NO__SUCH",
        "supervisor.toml:2",
        "supervisor.toml:3",
        "supervisor.local.toml:4",
        "--set database.max_size",
    ]


def test_what_a_section_itself_demands_of_an_environment(place: Place) -> None:
    place.load()
    assert place.wrong(env="production") == ("configuration: greeter.key: is needed in production",)


MODULE = "tests.config.config_actors"
CHILD = '[[supervisor.children]]\nid = "x"\n'
PROCESS = CHILD + "command = ['true']\n"


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (CHILD, "3: children[0].start: is missing: name the class"),
        (CHILD + "start = 'a:B'", "4: child 'x': 'a:B' cannot be imported: No module named 'a'"),
        (CHILD + f"start = '{MODULE}:Nobody'", f"4: child 'x': {MODULE} has no class 'Nobody'"),
        (CHILD + f"start = '{MODULE}:NOT_AN_ACTOR'", "is not an actor class"),
        (CHILD + f"start = '{MODULE}'", 'is not "package.module:Class"'),
        (CHILD + "start = ':Class'", "cannot be imported"),
        (CHILD + "command = []", "4: children[0].command: is empty"),
        (PROCESS + "start = 'a:B'", "children[0].command: a child has either start or command"),
        (PROCESS + "significant = true", "a permanent child cannot be significant"),
        (PROCESS + "significant = true\nrestart = 'transient'", "5: children[0].significant: has no meaning"),
        (PROCESS + PROCESS, "6: children[1].id: 'x' is there twice"),
        (PROCESS.replace("x", "a/b"), "3: children[0].id: 'a/b' is wrong"),
        (PROCESS.replace("x", "root"), "'root' is there twice"),
        (PROCESS + "options = {a = 1}", "5: children[0].options: has no effect"),
        (CHILD + "strategy = 'one_for_one'\nmailbox = 7", "5: children[0].mailbox: has no effect"),
        (
            GREETER + "user = 'nobody'",
            "5: children[0].user: has no effect on this child: it belongs to one with command",
        ),
        (GREETER + "options = {wrod = 1}", "5: greeter.wrod: unknown key"),
        (CHILD + f"start = '{MODULE}:Bare'\noptions = {{a = 1}}", "has no section of settings"),
        (GREETER + CHILD + f"start = '{MODULE}:Squatter'", "section [greeter] belongs to somebody else"),
        (PROCESS + "backoff.first = '1'", "5: children[0].backoff.first: '1' is not"),
        ("[supervisor]\nperiod = '0s'", "3: supervisor.period: '0s' is wrong: must be more than 0"),
        ("[supervisor]\nchildren = 3", "3: children: must be a list of tables"),
    ],
)
def test_in_the_tree(place: Place, tree: str, line: str) -> None:
    place.write("", tree=tree)
    (said,) = place.wrong()
    assert line in said.replace("supervisor.toml:", "").replace("supervisor.children", "children")


def test_a_child_that_cannot_be_read_makes_no_section_unknown(place: Place) -> None:
    place.write("[greeter]\nword = 'x'", tree=GREETER.replace("Greeter", "Nobody"))
    (said,) = place.wrong()
    assert "has no class 'Nobody'" in said


def test_an_actor_that_is_not_in_the_tree_has_no_section(place: Place) -> None:
    place.write("[greeter]\nword = 'x'", tree="")
    (said,) = place.wrong()
    assert said.startswith("supervisor.toml:2: greeter: there is no such section")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[greeter]\nlimit = {\n  most = 'x' }", 2),
        ("[http.forwarded]\ntrusted = [\n  '10.0.0.0/8',\n  'x',\n]", 2),
        ("# word\n\n[greeter] # [greeter]\n# word = 1\n'word' = 1", 5),
        ("greeter.limit.most = 'x'", 1),
        ('[greeter]\nword = """\n[http]\n"""\npatience = 1', 5),
    ],
)
def test_the_line_is_that_of_the_statement(place: Place, text: str, line: int) -> None:
    place.write(text)
    assert place.wrong()[0].startswith(f"supervisor.toml:{line}: ")
