"""A run in every form in which figures are published: text, tables, metadata of a model's page, citation.

Every form is made from the run's own figures and says by which signature they can be made again.
"""
