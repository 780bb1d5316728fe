"""Labelled pictures in; a detector, how good it is, and whether it may be used, out."""
