from __future__ import annotations

import json
import socket

import pytest

from nova_constructs.cli.emulate import print_environment
from tests.cli.cli_support import Nova


def test_a_port_in_use_exits_2_and_starts_nothing(nova: Nova) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        ran = nova("emulate", "--port", port)

    assert (ran.code, ran.out) == (2, "")
    assert f"received: --port {port}" in ran.err
    assert "choose another port" in ran.err


def test_the_environment_is_printed_as_exports_that_a_shell_reads(capsys: pytest.CaptureFixture[str]) -> None:
    print_environment({"AWS_ENDPOINT_URL": "http://localhost:4566", "X": "a b'c"}, as_json=False)

    assert capsys.readouterr().out == "export AWS_ENDPOINT_URL=http://localhost:4566\nexport X='a b'\"'\"'c'\n"


def test_the_environment_is_printed_as_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_environment({"AWS_REGION": "us-east-1"}, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"AWS_REGION": "us-east-1"}
