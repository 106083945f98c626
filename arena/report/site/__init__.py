"""A static web site of published runs, built only from the run folders that it holds."""
