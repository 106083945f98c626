"""The release gate: checks a candidate against a baseline by a policy and returns one verdict.

Each requirement is one object, listed in `requirements`. `policy` reads the settings. `decidable` computes what the images can
decide, from the baseline alone, and `sample` says it before a candidate is scored. `judge` checks a run of both models, and
`unpaired` checks two published results. Reports, files and the exit code are made from a `verdict.Verdict`.
"""
