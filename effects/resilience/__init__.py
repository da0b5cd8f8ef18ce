"""What to do when the surroundings fail: try again, wait, refuse at once, undo."""
