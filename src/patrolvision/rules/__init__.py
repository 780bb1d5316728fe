"""Observations in, Findings out: litter, parking and fire, judged against zones and hours."""
