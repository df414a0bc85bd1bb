from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from nova_constructs.cli import aws as cli_aws
from nova_constructs.cli import root
from nova_constructs.cli.run import target
from tests.cli.cli_support import FakeAws, Nova, Ran
from tests.cli.drain_support import DrainAccount


@pytest.fixture(autouse=True)
def _no_session_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 keeps the first session of a process, and with it the credentials of whichever test was first."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def nova(capsys: pytest.CaptureFixture[str]) -> Nova:
    """Run `nova` in this process."""

    def run(*arguments: Any) -> Ran:
        code = root.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """Serve recorded answers to every client that the command line opens."""
    fake = FakeAws()
    monkeypatch.setattr(target, "client", fake.client)
    monkeypatch.delenv("NOVA_STACK", raising=False)
    return fake


@pytest.fixture
def drained_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[DrainAccount]:
    """Serve runs, jobs and tables of one customization to every client that a command opens."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("NOVA_STACK", raising=False)
    with mock_aws():
        made = DrainAccount()
        monkeypatch.setattr(cli_aws, "client", made.client)
        yield made
