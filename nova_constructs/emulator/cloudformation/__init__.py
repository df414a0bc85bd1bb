"""CloudFormation for the resource types of our stacks; whatever it would not honour, it refuses."""

from __future__ import annotations

from nova_constructs.emulator.cloudformation.engine import install
from nova_constructs.emulator.cloudformation.preflight import UnsupportedTemplate, check

__all__ = ["UnsupportedTemplate", "check", "install"]
