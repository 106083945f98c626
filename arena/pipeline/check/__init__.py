"""May the candidate replace the baseline? From two names to a verdict and its files.

`sides` tells what each name stands for and `recorded` what its run remembers; `ground` finds the images that both stand on,
or says why they cannot be compared; `joint` evaluates both together, `unpaired` does what can be done with published figures;
`canary` and `causes` (with `shifts`) look at the scores themselves; and `check` does it all. `compare` sets any number of
sides beside each other and judges none.
"""
