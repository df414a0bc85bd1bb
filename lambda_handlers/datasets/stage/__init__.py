"""The data stage of a run: from S3 to S3, recorded, and stopped before training where the data is not fit.

`request` reads what a call was asked. A dataset of one shard is prepared by one call (`preparing_at_once`). For a
larger one, `transforming` makes rows of one shard, `reducing` decides about the rows of all, `assembling` puts those of
one shard where they belong, and `finishing` makes one object of all parts of a kind; `shard_objects` says where the
calls leave things for each other, `placing` where media lie. `recording` tells the ledger and the next stage.
"""
