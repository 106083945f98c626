"""Metrics over releases: headline metrics and per-tag metrics, as rows, plots and an HTML page."""
