"""From patrol cars' and drones' footage to geotagged tickets, each problem counted once."""

__version__ = "0.1.0"
