"""The code of the functions: reproducible, small, for the function's own platform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_constructs import handler_assets
from nova_constructs.handler_assets import AssetBuildError, handler_code, third_party_code


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nova-constructs"


def test_the_zip_root_holds_our_package_and_no_bytecode(cache: Path) -> None:
    code = handler_code()
    assert (code.path / "lambda_handlers" / "plan_run.py").is_file()
    assert code.path.parent == cache
    assert not [path for path in code.path.rglob("*") if path.suffix == ".pyc"]


def test_a_second_build_is_the_first_one(cache: Path) -> None:
    first = handler_code()
    stamp = first.path.stat().st_mtime_ns
    assert handler_code() == first
    assert first.path.stat().st_mtime_ns == stamp
    assert [path.name for path in cache.iterdir()] == [first.path.name]


def test_the_hash_is_of_the_content(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "lambda_handlers"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(handler_assets, "PACKAGE", package)
    first = handler_code().sha256
    (package / "notes.md").write_text("not code\n")
    assert handler_code().sha256 == first
    (package / "a.py").write_text("x = 2\n")
    assert handler_code().sha256 != first


def test_third_party_code_is_for_the_platform_of_the_function() -> None:
    layer = third_party_code("arm64").path / "python"
    libraries = [path.name for path in layer.rglob("*.so")]
    assert libraries
    assert all("cpython-313-aarch64" in name for name in libraries)


def test_a_wheel_that_cannot_be_had_is_told_in_words(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"orjson==0.0.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(handler_assets, "REQUIREMENTS", requirements)
    with pytest.raises(AssetBuildError, match="could not be fetched for arm64"):
        third_party_code()
    assert not list(cache.glob(".*"))


def test_importing_the_package_loads_no_cdk() -> None:
    check = "import sys, nova_constructs, lambda_handlers; sys.exit('aws_cdk' in sys.modules or 'boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
