"""The graph of meaning: how responses are joined to their nearest, and what shape that has."""
