"""What a run's tables say, as figures and sentences; page, summary and terminal are made of it."""
