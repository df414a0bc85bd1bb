"""From bytes to rows: where data lies, how it is packed, and where one row ends and the next begins."""
