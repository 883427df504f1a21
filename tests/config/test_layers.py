"""Which file is taken, what is laid over it, and what relative paths are relative to (contract.md, "Configuration")."""

from __future__ import annotations

from pathlib import Path

import pytest

from rustok_daemon.config import Configuration, ConfigurationError, LoadOptions, load, loading
from rustok_daemon.config.sections import DaemonSettings, HttpSettings, SupervisorSettings
from tests.config.config_actors import GreeterSettings
from tests.config.conftest import GREETER, Place


def word(configuration: Configuration) -> str:
    return configuration.section(GreeterSettings).word


def test_the_order_in_which_a_file_is_looked_for(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("option", "variable", "here", "etc"):
        place.write(f'[greeter]\nword = "{name}"', f"{name}/supervisor.toml", tree=GREETER)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(loading, "_SEARCH", (Path("supervisor.toml"), tmp_path / "etc" / "supervisor.toml"))
    variables = {"RUSTOK_CONFIG": str(tmp_path / "variable" / "supervisor.toml")}
    assert word(load(LoadOptions(config=tmp_path / "option" / "supervisor.toml"), variables)) == "option"
    assert word(load(LoadOptions(), variables)) == "variable"
    assert word(load(LoadOptions(), {})) == "here"
    (tmp_path / "here" / "supervisor.toml").unlink()
    assert word(load(LoadOptions(), {})) == "etc"


@pytest.mark.parametrize(
    ("options", "who"), [(LoadOptions(config=Path("/no/x.toml")), "--config"), (None, "RUSTOK_CONFIG")]
)
def test_a_file_that_is_named_must_be_there(options: LoadOptions | None, who: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{who}: there is no file /no/x\.toml"):
        load(options or LoadOptions(), {"RUSTOK_CONFIG": "/no/x.toml"})


def test_each_layer_is_laid_over_the_one_before(place: Place) -> None:
    place.write('[greeter]\nword = "file"')
    assert word(place.load()) == "file"
    place.write('[greeter]\nword = "development"', "supervisor.development.toml")
    assert word(place.load()) == "development"
    place.write('[greeter]\nword = "local"', "supervisor.local.toml")
    assert word(place.load()) == "local"
    place.set({"RUSTOK_GREETER__WORD": "variable"})
    assert word(place.load()) == "variable"
    assert word(place.load("greeter.word=option")) == "option"
    assert word(place.load("greeter.word=option", "greeter.word=again")) == "again"


def test_a_layer_that_gives_one_key_leaves_the_others(place: Place) -> None:
    place.write('[greeter]\nword = "file"\nlimit.most = 1')
    place.write('[greeter]\npatience = "9s"', "supervisor.local.toml")
    place.set({"RUSTOK_GREETER__LIMIT__MOST": "7"})
    settings = place.load().section(GreeterSettings)
    assert (settings.word, settings.patience, settings.limit.most) == ("file", 9, 7)


def test_the_environments_name_comes_from_the_option_then_ours_then_locos_then_is_development(place: Place) -> None:
    for name in ("production", "staging", "test", "development"):
        place.write(f'[greeter]\nword = "{name}"\nkey = "k"', f"supervisor.{name}.toml")
    assert place.load().environment == word(place.load()) == "development"
    place.set({"LOCO_ENV": "test"})
    assert place.load().environment == word(place.load()) == "test"
    place.set({"LOCO_ENV": "test", "RUSTOK_ENV": "staging"})
    assert place.load().environment == word(place.load()) == "staging"
    chosen = place.load(env="production")
    assert chosen.environment == word(chosen) == "production"


def test_a_name_that_would_lead_out_of_the_directory_is_none(place: Place) -> None:
    assert place.wrong(env="../x") == (
        "--env: '../x' is no name: write letters, digits, - and _, for example production",
    )


def test_children_are_merged_by_id_and_new_ones_come_after(place: Place) -> None:
    place.write(
        "", "supervisor.toml", tree=GREETER + '[[supervisor.children]]\nid = "group"\nstrategy = "one_for_all"\n'
    )
    place.write(
        '[[supervisor.children]]\nid = "more"\nstart = "tests.config.config_actors:Bare"\n'
        '[[supervisor.children]]\nid = "greeter"\nmailbox = 7\n'
        '[[supervisor.children]]\nid = "group"\n[[supervisor.children.children]]\nid = "inner"\ncommand = ["true"]\n',
        "supervisor.local.toml",
    )
    children = place.load().section(SupervisorSettings).children
    assert [child.id for child in children] == ["greeter", "group", "more"]
    assert (children[0].mailbox, children[0].start) == (7, "tests.config.config_actors:Greeter")
    assert (children[1].strategy, [child.id for child in children[1].children]) == ("one_for_all", ["inner"])


def test_other_lists_are_replaced_whole(place: Place) -> None:
    place.write('[http]\nforwarded.trusted = ["10.0.0.0/8", "192.168.0.0/16"]')
    place.set({"RUSTOK_HTTP__FORWARDED__TRUSTED": '["172.16.0.0/12"]'})
    assert [str(each) for each in place.load().section(HttpSettings).forwarded.trusted] == ["172.16.0.0/12"]


def test_a_relative_path_is_relative_to_the_file_also_when_nobody_names_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert place.load().section(DaemonSettings).data_dir == tmp_path / "var"
    place.write('[daemon]\ndata_dir = "../data"')
    assert place.load().section(DaemonSettings).data_dir == tmp_path.parent / "data"
    assert place.load().section(HttpSettings).socket == tmp_path.parent / "data" / "rustok.sock"


def test_a_relative_path_from_outside_the_file_is_relative_to_the_working_directory(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/usr")
    place.set({"RUSTOK_DAEMON__DATA_DIR": "./a"})
    assert place.load().section(DaemonSettings).data_dir == Path("/usr/a")
    assert place.load("daemon.data_dir=b").section(DaemonSettings).data_dir == Path("/usr/b")
    options = LoadOptions(config=place.directory / "supervisor.toml", socket=Path("c.sock"))
    assert load(options, {}).section(HttpSettings).socket == Path("/usr/c.sock")


def test_the_tree_that_comes_with_the_package_is_taken_where_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "packaged.toml"
    packaged.write_text('[daemon]\ndata_dir = "./var"\n')
    monkeypatch.setattr(loading, "_SEARCH", (tmp_path / "none.toml",))
    monkeypatch.setattr(loading, "PACKAGED", packaged)
    monkeypatch.chdir("/usr")
    found = load(LoadOptions(), {})
    assert found.files == (packaged,)
    assert found.section(DaemonSettings).data_dir == Path("/usr/var")


def test_where_a_value_came_from_is_kept(place: Place) -> None:
    file = place.write('[greeter]\nword = "x"')
    place.set({"RUSTOK_GREETER__PATIENCE": "1s"})
    found = place.load("greeter.limit.most=2")
    assert [found.origin(f"greeter.{key}") for key in ("word", "patience", "limit.most", "key")] == [
        str(file),
        "RUSTOK_GREETER__PATIENCE",
        "--set greeter.limit.most",
        "default",
    ]
