"""Detections in, the same detections with track ids out: the memory of one stream."""
