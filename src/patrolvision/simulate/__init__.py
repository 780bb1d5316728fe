"""Patrols whose truth is known."""
