"""One self-contained HTML page of what a run found: map, tickets, pictures, what was seen."""
