"""Builds the code of the functions without Docker: our package as it is, third-party wheels for their platform.

Both trees live in a content-addressed cache, so a second synth does no work and two synths give the same asset hashes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import lambda_handlers

PACKAGE = Path(lambda_handlers.__file__).parent
REQUIREMENTS = PACKAGE / "requirements.txt"
CODE_SUFFIXES = {".py", ".json"}
RUNTIME_PYTHON = "3.13"
ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}


class AssetBuildError(RuntimeError):
    """The code of the functions could not be built; the message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """One folder to zip, with the SHA-256 of its content."""

    path: Path
    sha256: str


def handler_code() -> Asset:
    """Return the `lambda_handlers` package as a zip root, staged by the hash of its content."""
    files = sorted(p for p in PACKAGE.rglob("*") if p.suffix in CODE_SUFFIXES and "__pycache__" not in p.parts)
    digest = _digest((p.relative_to(PACKAGE).as_posix(), p.read_bytes()) for p in files)

    def fill(folder: Path) -> None:
        for source in files:
            target = folder / PACKAGE.name / source.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    return Asset(path=_cached(f"code-{digest[:32]}", fill), sha256=digest)


def third_party_code(architecture: str = "arm64") -> Asset:
    """Return a layer tree (`python/…`) of the pinned wheels for one architecture, fetched by pip when not cached.

    Raises AssetBuildError where pip cannot fetch a wheel with the pinned hash.
    """
    digest = _digest([("requirements", REQUIREMENTS.read_bytes()), (architecture, RUNTIME_PYTHON.encode())])

    def fill(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as wheels:
            _download(architecture, wheels)
            for wheel in sorted(Path(wheels).glob("*.whl")):
                zipfile.ZipFile(wheel).extractall(folder / "python")

    return Asset(path=_cached(f"third-party-{architecture}-{digest[:32]}", fill), sha256=digest)


def _download(architecture: str, folder: str) -> None:
    machine = ARCHITECTURES[architecture]
    platforms = [f"--platform={tag}_{machine}" for tag in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--disable-pip-version-check", f"--python-version={RUNTIME_PYTHON}", "--implementation=cp"),
        *("--abi=cp313", *platforms, "--dest", folder, "--requirement", str(REQUIREMENTS)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssetBuildError(
            f"The functions' third-party code ({REQUIREMENTS}) could not be fetched for {architecture}: "
            f"{done.stderr.strip() or 'pip is not installed in this environment'}. "
            "Check that this environment has pip and reaches a package index, then synthesize again."
        )


def _cached(name: str, fill: Callable[[Path], None]) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nova-constructs"
    target = root / name
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    try:
        fill(building)
        # mkdtemp makes the folder private; Lambda's user has to read what comes out of the zip.
        building.chmod(0o755)
        building.rename(target)
    except OSError:
        if not target.is_dir():  # somebody else finished the same build first: theirs is as good
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
