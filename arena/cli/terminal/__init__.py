"""What is printed: progress on standard error, results on standard output."""
