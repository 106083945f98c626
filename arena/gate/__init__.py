"""The gate before a release: two results and a policy give one verdict.

`policy` reads what is asked, `judge` holds it against paired figures and `unpaired` against published ones. `verdict` is what
text, files and the exit code are made of.
"""
