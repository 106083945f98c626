"""Parity of two ports of one model: whether their scores agree, and if not, why.

`pairs` aligns the images and tags, `measure` computes the differences, `verdict` compares them with tolerances. `causes`,
`shifts` and `variants` search for the fault; `resize_and_crop` is a preprocessing that cards cannot describe. `text` formats
the report.
"""
