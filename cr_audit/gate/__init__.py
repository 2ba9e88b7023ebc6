"""May this batch be merged? Facts (``compare``), findings (``judge``), policy, verdict: apart."""
