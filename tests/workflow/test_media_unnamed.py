"""Without the setting that names buckets of media, rows with media go to quarantine, and nothing is asked of S3."""

from __future__ import annotations

import json

import pytest

from tests.workflow.harness import Workflow, dataset

BUCKET = "nova-test-photos"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_without_the_setting_quarantines_rows_with_media(workflow: Workflow) -> None:
    workflow.s3.create_bucket(Bucket=BUCKET)
    workflow.s3.put_object(Bucket=BUCKET, Key="a.png", Body=b"here")
    image = {"image_format": "png", "s3_uri": f"s3://{BUCKET}/a.png", "bucket_owner": "1"}
    row = json.dumps({"question": "What?", "answer": "A cat.", **image}).encode()
    workflow.emulator.calls.clear()
    ended = workflow.run(dataset(200, "no media") + row)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    key = f"runs/{ended['name']}/quarantine.jsonl"
    [rejected] = workflow.s3.get_object(Bucket=workflow["QuarantineBucketName"], Key=key)["Body"].read().splitlines()
    assert json.loads(rejected)["codes"] == ["media_missing"]
    assert f"the setting media_buckets does not name the bucket {BUCKET}" in json.loads(rejected)["messages"][0]
    assert workflow.emulator.calls.denied() == []
