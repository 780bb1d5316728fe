"""Findings and looks in, incidents out: one incident for each hazard, however often it was seen."""
