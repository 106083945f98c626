"""arena: which image tagger is better, on which tags, at which threshold, and how sure are we?"""

__version__ = "0.1.0"
