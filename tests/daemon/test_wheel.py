"""The wheel, installed where no checkout is, runs with the tree it carries."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.daemon_process import TREE, clean_environment, daemon

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(directory), str(TREE.parent)], check=True
    )
    (made,) = directory.glob("*.whl")
    return made


def test_it_carries_the_tree_and_the_documents_its_pages_show(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"rustok_daemon/supervisor.toml", "rustok_daemon/py.typed"} <= names
    assert not any(name.startswith(("tests/", "bench/")) for name in names)


def test_it_runs_outside_of_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked ahead of all else on the path: the environment's other packages serve it, the checkout does not."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    with daemon({"redis.url": "off"}) as made:
        environment = {**clean_environment(), "PYTHONPATH": str(site)}
        where = subprocess.run(
            [sys.executable, "-c", "import rustok_daemon, actors; print(rustok_daemon.__file__, actors.__file__)"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert where.stdout.count(str(site)) == 2
        made.configure(site / "rustok_daemon" / "supervisor.toml", PYTHONPATH=str(site))
        made.start()
        assert made.cli("status").returncode == 0
        assert made.stop() == 0
