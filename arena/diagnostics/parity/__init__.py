"""Parity of two ports of one model: whether their scores agree, and if not, why.

`pairs` aligns the images and tags, `measure` computes the differences, `verdict` compares them with tolerances. `causes`,
`shifts` and `variants` search for the fault. `text` formats the report.
"""
