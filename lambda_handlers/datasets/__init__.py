"""Datasets: from rows as people have them to rows that Nova trains on.

`readers` cut a source into rows, `transforms` make training rows of them by the rules in `converse*` and `texts`,
`writers` and `s3_objects` put them away, `quarantine` and `manifest` record what happened. `preparation` puts these
together over any stream of bytes; `files` and `stage` do so for local files and for the workflow.
"""
