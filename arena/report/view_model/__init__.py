"""Values and sentences from the tables of a run, for the page, the summary and the terminal."""
