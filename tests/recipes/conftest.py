"""The hub snapshot as fixtures."""

from __future__ import annotations

import pytest

from tests.recipes.hub_support import FakeS3, FakeSageMaker


@pytest.fixture
def sagemaker() -> FakeSageMaker:
    """Return a SageMaker client that answers from the snapshot."""
    return FakeSageMaker()


@pytest.fixture
def s3() -> FakeS3:
    """Return an S3 client that holds the snapshot's objects."""
    return FakeS3()
