"""May the candidate replace the baseline? From two names to a verdict and its files.

`check` does it all; `unpaired` does what can be done with published figures; `canary`, `speed` and `causes` look at the scores
and the models themselves.
"""
