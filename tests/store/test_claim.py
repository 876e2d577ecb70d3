from __future__ import annotations

import os
import subprocess
import sys

import pytest

from b2bua.store.claim import Claim
from b2bua.store.interface import StoreError
from tests.store.conftest import REALM

OTHER = """\
import sys
from pathlib import Path
from b2bua.store.claim import Claim
from b2bua.store.interface import StoreError
try:
    claim = Claim(Path(sys.argv[1]), sys.argv[2])
    print("claimed", flush=True)
except StoreError as error:
    print(error, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other():
    """Claims in a process of its own, which goes on until it is closed; what it said."""
    processes = []

    def claim(path, realm=REALM):
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", OTHER, str(path), realm], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield claim
    for process in processes:
        process.kill()
        process.communicate()


def test_a_second_server_on_a_store_is_refused_in_one_line(open_sqlite, other, tmp_path):
    path = tmp_path / "var" / "b2bua.db"
    store = open_sqlite()
    store.claim()
    store.claim()
    _, said = other(path)
    assert said == f"{path}: another server runs with it; this one needs its own: --store sqlite:PATH"
    store.close()
    assert other(path)[1] == "claimed"


def test_feature_servers_of_other_names_share_a_database(open_sqlite, other, tmp_path):
    open_sqlite().claim()
    assert other(tmp_path / "var" / "b2bua.db", f"{REALM} cm")[1] == "claimed"


def test_the_death_of_a_server_frees_its_store(open_sqlite, other, tmp_path):
    store = open_sqlite()
    process, said = other(tmp_path / "var" / "b2bua.db")
    assert said == "claimed"
    with pytest.raises(StoreError, match="another server runs with it"):
        store.claim()
    process.kill()
    process.wait()
    store.claim()


def test_where_no_file_can_be_made_it_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"b2bua\.db\.lock: No such file or directory"):
        Claim(tmp_path / "none" / "b2bua.db", REALM)
