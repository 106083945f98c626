"""Metrics computed from scores: counts, rankings, thresholds, intervals and tests. Depends on numpy and scipy only."""
