"""Reports of a held-out dataset: HTML page and terminal text."""
