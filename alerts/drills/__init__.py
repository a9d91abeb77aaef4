"""Drills: an alarm that is announced as none, to see who answers how fast."""
