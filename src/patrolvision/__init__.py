"""patrolvision: from patrol cars' and drones' footage to geotagged tickets, each real-world problem counted once."""

__version__ = "0.1.0"
