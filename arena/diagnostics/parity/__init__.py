"""Two ports of one model: whether they give the same scores, and if not, why.

`pairs` aligns the images and tags of both, `measure` measures how far apart the scores are, `verdict` judges that by
tolerances, `causes`, `shifts` and `variants` look for the fault (`resize_and_crop` is a preprocessing that no card has), and
`text` writes it.
"""
