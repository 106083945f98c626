"""What the gate found, as people and machines read it: every module makes one form of a `Verdict`, and judges nothing.

`words` puts a verdict into sentences, `document` is its JSON, `junit`, `github` and `badge` are for continuous integration,
`text` and `markdown` for readers, `page` is the regression page, and `write` writes them all.
"""
