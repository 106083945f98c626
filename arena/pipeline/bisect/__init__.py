"""Find the checkpoint that lost a tag: `search` selects checkpoints, `checkpoints` scores them, `bisect` tests them."""
