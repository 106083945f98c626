"""Runs of releases, and two ports of one model with pictures, for the verbs that compare them."""

from tests.pipeline.parity.conftest import pictures, port
from tests.results.baselines.conftest import make_run, releases

__all__ = ["make_run", "pictures", "port", "releases"]
