"""What the statements of further options are good for."""

from __future__ import annotations

import pytest

from tests.workflow.permission_suites import MAIN, SUITES, Assemblies, Enter, check_table, take

OPTIONS = tuple(name for name in SUITES if name not in MAIN)
ALL = [pytest.param(suite, path, id=path) for suite in OPTIONS for path in SUITES[suite][1]]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("suite", "path"), ALL)
def test_path(enter: Enter, assemblies: Assemblies, proven: dict[str, str], suite: str, path: str) -> None:
    for permission in take(enter(suite), assemblies[suite], suite, path):
        proven.setdefault(str(permission), path)


@pytest.mark.long
def test_the_table_is_what_the_paths_use(
    assemblies: Assemblies, proven: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """The long half: every permission was used on a path just taken, or is in the table of what AWS requires."""
    check_table(assemblies, OPTIONS, proven, elsewhere=MAIN, write=request.config.getoption("--write-evidence"))
