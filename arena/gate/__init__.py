"""The release gate: checks a candidate against a baseline by a policy and returns one verdict.

Each requirement is one object, listed in `requirements`. `policy` reads the settings. `judge` checks a run of both models, and
`unpaired` checks two published results. Reports, files and the exit code are made from a `verdict.Verdict`.
"""
