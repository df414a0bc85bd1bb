"""The names a customization goes by outside its stack: the tag on what it makes and the prefix of its jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aws_cdk import Stack
from constructs import Construct

TAG = "nova-constructs:customization"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """`customization` is the value of the tag; `slug` (at most 20 characters) begins the name of every job."""

    customization: str
    slug: str

    @classmethod
    def of(cls, construct: Construct) -> Identity:
        """Derive both from the construct's place in the tree, so that they never change while it stays there."""
        stack = Stack.of(construct)
        inside = construct.node.path.removeprefix(f"{stack.node.path}/")
        words = re.sub(r"[^a-z0-9]+", "-", construct.node.id.lower()).strip("-") or "nova"
        return cls(
            customization=f"{stack.stack_name}/{inside}",
            slug=f"{words[:13].strip('-')}-{construct.node.addr[-6:]}",
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a function that creates or stops jobs."""
        return {"CUSTOMIZATION": self.customization, "SLUG": self.slug}

    @property
    def request_tag(self) -> dict[str, object]:
        """The condition on creating: the request carries this customization's tag."""
        return {"StringEquals": {f"aws:RequestTag/{TAG}": self.customization}}

    @property
    def resource_tag(self) -> dict[str, object]:
        """The condition on everything after creating: the resource carries this customization's tag."""
        return {"StringEquals": {f"aws:ResourceTag/{TAG}": self.customization}}
