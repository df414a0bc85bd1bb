"""Measure the named subjects, or all, print every figure and keep it in docs/figures.md.

A quick run shows that everything can be measured; its figures are not kept. A subject that fails leaves its section as
it was; the exit code tells.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from pathlib import Path

from bench import figures
from bench.options import Options

SUBJECTS = ("synth", "handlers", "demo", "data_preparation")


def main() -> int:
    """Measure; return 1 if a subject could not be."""
    arguments = _arguments()
    options = Options(quick=arguments.quick, sdk_python=arguments.sdk_python)
    titles = [importlib.import_module(f"bench.{subject}").TITLE for subject in SUBJECTS]
    return max([_measure(subject, options, titles) for subject in arguments.subjects or SUBJECTS])


def _measure(subject: str, options: Options, titles: list[str]) -> int:
    module = importlib.import_module(f"bench.{subject}")
    found = []
    try:
        for figure in module.measure(options):
            print(figure.line(), flush=True)
            found.append(figure)
    except Exception:
        traceback.print_exc()
        print(f"{subject}: not measured", file=sys.stderr)
        return 1
    if not options.quick:
        figures.keep(module.TITLE, figures.section(module.TITLE, found, module.NOTES), titles)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    # Not `choices`: with nargs="*", argparse holds the empty list itself against them.
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"any of {', '.join(SUBJECTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small inputs, few rounds, nothing kept")
    parser.add_argument("--sdk-python", type=Path, metavar="PATH", help="an interpreter that can import the seed SDK")
    arguments = parser.parse_args()
    if unknown := [subject for subject in arguments.subjects if subject not in SUBJECTS]:
        parser.error(f"there is no subject {unknown[0]!r}: use {', '.join(SUBJECTS)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
