"""Time and memory of a scan, stage by stage, and of the graph under it."""
