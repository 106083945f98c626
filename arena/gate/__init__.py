"""The gate before a release: two results and a policy give one verdict.

Each requirement is one object, listed in `requirements`. `policy` reads what is asked. `judge` holds it against a run of both
models and `unpaired` against published figures. `verdict` is what text, files and the exit code are made of.
"""
