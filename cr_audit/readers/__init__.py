"""Files in, one PreferenceDataset out: a container table times a schema table."""
