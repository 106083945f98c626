"""Baselines: what a release was set to be, its figures over releases, and which checkpoint lost a tag."""
