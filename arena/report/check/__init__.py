"""Reports of a gate verdict, for people and for programs. Each module writes one format of a `Verdict`; none decides anything.

`words` has the sentences and formatted numbers. `document` writes JSON. `junit`, `github` and `badge` serve continuous
integration, `text` and `markdown` serve readers. `page` is the HTML page. `write` writes all files.
"""
