"""`arena check`: decide whether a candidate may replace the baseline, and write the verdict.

`check` runs all steps. `unpaired` judges entrants that are known by published metrics only. `canary` compares scores,
`calibration` compares their calibration, `speed` times models, and `causes` searches for the cause of a loss.
"""
