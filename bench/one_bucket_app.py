"""The smallest CDK app that does something: what a synth costs before there is anything of ours in it."""

from __future__ import annotations

import sys

from nova_constructs.node_runtime import use_bundled_node

use_bundled_node()

from aws_cdk import App, Stack  # noqa: E402  (jsii looks for Node.js when it is imported)
from aws_cdk import aws_s3 as s3  # noqa: E402

app = App(outdir=sys.argv[1])
s3.Bucket(Stack(app, "OneBucket"), "Bucket")
app.synth()
