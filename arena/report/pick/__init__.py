"""Reports of `arena pick`: the document `pick.json`, its sentences and tables, the page and `pick.md`."""
