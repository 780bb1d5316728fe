"""Where missions run. Missions are distributed, never frames: trackers hold a stream's memory."""
