"""The reward models, one file each; ``model`` has their names."""
