"""Footage and telemetry -> Frames with Poses; one file per telemetry format.

A parser turns a file into raw fixes (fixes.py) and judges nothing; fixes.build_log drops and
counts what cannot be true; sync.PoseTrack answers where the camera was at an instant; video.py
and photos.py deliver Frames; opening.py finds out which of these a recording needs.
"""
