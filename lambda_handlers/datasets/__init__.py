"""Datasets: from rows as people have them to rows that Nova trains on.

`reading` cuts files and objects into rows, `forms` says what a row of each form is and makes rows fit it, `passes` does
what concerns all rows together. `preparing` puts these together over any source and any place for the outputs: `files`
for local ones, `s3_files` for S3, `stage` for a run of the workflow. `local_shards` and `shards` share the work out.

As a library, without aws_cdk: `preparation.Preparation` says what to make, `files.prepare_files` and
`files.validate_files` do it, `s3_files.prepare_objects` and `s3_files.validate_objects` on S3.
"""
