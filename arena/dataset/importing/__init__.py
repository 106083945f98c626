"""From a source to a dataset folder, a part at a time."""
