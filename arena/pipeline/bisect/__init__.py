"""Which checkpoint of an ordered list lost a tag: `search` chooses where to look, `checkpoints` scores, `bisect` decides."""
