from __future__ import annotations

import subprocess
import sys

import pytest

from nova_constructs.cli import python_too_old
from tests.cli.cli_support import Nova

_LOADED = """
import sys
from nova_constructs.cli.root import run
code = run({arguments!r})
print(sorted(name for name in {names!r} if name in sys.modules), file=sys.stderr)
sys.exit(code)
"""


def loaded(arguments: list[str], *names: str) -> str:
    """Run a command in a process of its own and return which of the named modules it had imported."""
    code = _LOADED.format(arguments=arguments, names=list(names))
    environment = {"PATH": "", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    return ran.stderr.splitlines()[-1]


def test_help_imports_neither_cdk_nor_boto3_nor_the_emulator() -> None:
    assert loaded(["--help"], "aws_cdk", "boto3", "moto", "rich.console", "yaml", "jsonschema") == "[]"


@pytest.mark.parametrize(
    "command",
    [
        ["run", "list"],
        ["run", "start", "s3://bucket/key"],
        ["run", "show", "r1"],
        ["eval", "show", "r1"],
        ["logs", "r1"],
    ],
)
def test_run_never_imports_cdk_or_the_emulator(command: list[str]) -> None:
    assert loaded(command, "aws_cdk", "jsii", "moto") == "[]"


def test_rendering_from_the_snapshot_imports_neither_cdk_nor_boto3_nor_the_emulator() -> None:
    command = ["recipe", "render", "--model", "NOVA_LITE_2", "--method", "SFT_LORA", "--hub", "bundled"]
    assert loaded(command, "aws_cdk", "jsii", "moto", "boto3", "nova_constructs.emulator") == "[]"


def test_a_refused_demo_imports_neither_cdk_nor_the_emulator() -> None:
    assert loaded(["demo", "--data", "/nowhere"], "aws_cdk", "moto") == "[]"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["data"],
        *(["data", name] for name in ("prepare", "validate", "show", "convert")),
        ["demo"],
        ["emulate"],
        ["eval"],
        ["eval", "show"],
        ["recipe"],
        ["recipe", "render"],
        ["run"],
        ["run", "start"],
        ["run", "list"],
        ["run", "show"],
        ["run", "stop"],
    ],
)
def test_every_command_has_help_with_examples(nova: Nova, command: list[str]) -> None:
    ran = nova(*command, "--help")

    assert ran.code == 0
    assert "Examples:\n  " in ran.out
    assert " ".join(["nova", *command]) in ran.out


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["nope"], "No such command 'nope'"),
        (["demo", "--nope"], "No such option"),
        (["run", "list", "--limit", "0"], "0 is not in the range 1<=x<=1000"),
        (["emulate", "--speed", "0.5"], "0.5 is not in the range x>=1"),
        (["emulate", "--port", "70000"], "70000 is not in the range 0<=x<=65535"),
    ],
)
def test_wrong_usage_exits_2_with_the_reason_on_stderr(nova: Nova, command: list[str], expected: str) -> None:
    ran = nova(*command)

    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err


def test_no_credentials_is_bad_input_that_says_what_to_set() -> None:
    code = "import sys; from nova_constructs.cli.root import run; sys.exit(run(['run', 'list']))"
    environment = {
        "PATH": "",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "AWS_PROFILE" in ran.stderr


def test_an_old_python_is_told_what_to_install() -> None:
    assert python_too_old(3, 9).splitlines() == [
        "Error: this Python is too old for nova.",
        "  received: Python 3.9",
        "  allowed:  Python 3.11 or newer",
        "  do:       make a virtual environment with a newer Python, for example python3.11 -m venv .venv",
    ]
