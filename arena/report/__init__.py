"""From a result to what is read: page, text files, plots."""
