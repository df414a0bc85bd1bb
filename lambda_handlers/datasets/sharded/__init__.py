"""A large dataset of a run, prepared by many function calls; what one call leaves for the next lies in S3.

`transforming` makes rows of one shard, `reducing` decides about the rows of all, `assembling` puts those of one shard
where they belong, `finishing` makes one object of each kind of all parts. `shard_objects` says where everything is.
"""
