"""Two ports of one model: whether they give the same scores, and if not, why.

`pairs` puts the images and tags of two sides beside each other, `measure` tells how far apart the scores are, `verdict`
judges that by tolerances, `causes` and `variants` look for the fault (`covering` is a way to the square that no card tells),
and `run` does it all from the names of two models, two files of scores, or one of each.
"""
