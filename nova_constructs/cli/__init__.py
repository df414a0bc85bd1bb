"""The `nova` command line.

    root.py        the command group, and how any error becomes one message and an exit code
    approval/      nova approve, nova reject: answers to runs that wait for a person
    data/          nova data prepare, validate, show, convert: datasets
    demo/          nova demo: the whole workflow on the embedded emulator
    drain/         nova drain: waits for everything of a customization, or stops it
    orphans/       nova orphans: what is left behind, found by its tags without any stack
    emulate.py     nova emulate: the emulator by itself
    recipe/        nova recipe render: recipes of the public hub
    logs/          nova logs: log lines and training metrics of a run's jobs
    run/           nova run start, list, show, stop: runs of a deployed customization
    aws.py         clients of AWS
    json_command.py  commands that answer with one JSON object in every case when asked to; settings.py --set
    awaited.py     whether a run waits for a person, and how to answer
    deployed.py    finds the deployed customization; runs.py reads its runs; history.py reads an execution's history
    embedded.py    runs the emulator for the two commands that need it
    output.py      what goes to stdout and stderr; exits.py the exit codes; interrupts.py Ctrl-C and SIGTERM

Nothing here imports aws_cdk: synthesis runs in a process of its own.
"""

from __future__ import annotations

import sys

MINIMUM_PYTHON = (3, 11)


def main() -> None:
    """Run the command line with the arguments of this process, then exit with its code."""
    if sys.version_info < MINIMUM_PYTHON:
        sys.stderr.write(python_too_old(sys.version_info[0], sys.version_info[1]))
        sys.exit(2)
    try:
        from nova_constructs.cli.root import run
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich"):
            raise
        sys.stderr.write("Error: the command line is not installed.\n  do:       pip install 'nova-constructs[cli]'\n")
        sys.exit(2)
    sys.exit(run(sys.argv[1:]))


def python_too_old(major: int, minor: int) -> str:
    """Return the message for an interpreter that cannot run the project."""
    return (
        f"Error: this Python is too old for nova.\n  received: Python {major}.{minor}\n"
        "  allowed:  Python 3.11 or newer\n"
        "  do:       make a virtual environment with a newer Python, for example python3.11 -m venv .venv\n"
    )
