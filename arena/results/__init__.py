"""Results at rest: run folders, published files, baselines, and differences between two results."""
