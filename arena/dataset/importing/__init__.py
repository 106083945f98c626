"""Import a source into a dataset folder, in parts that survive an interruption."""
