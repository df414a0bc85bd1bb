"""Figures of the project, measured side by side in one run: `make bench`.

One module per subject (`synth`, `handlers`, `demo`, `data_preparation`), each with `TITLE`, `NOTES` and `measure`;
`figures` keeps docs/figures.md, `timing` holds the clocks. What `data_preparation` needs: `text_rows` makes its files,
`floors` are the loops it is compared with, `prepare_child` and `sdk_child` run in processes of their own.
"""
