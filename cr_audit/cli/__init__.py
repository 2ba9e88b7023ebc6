"""The command line: it wires the layers together and does nothing else."""
