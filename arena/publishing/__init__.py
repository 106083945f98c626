"""Publishing a run: its forms in a folder, and the proof that they are what its stored scores give.

`forms` gathers what the forms need beside the result, `again` computes the result once more, `compare` finds where two results
differ, and `verify` puts them together.
"""
