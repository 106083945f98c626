"""Runs of releases."""

from tests.results.baselines.conftest import make_run, releases

__all__ = ["make_run", "releases"]
