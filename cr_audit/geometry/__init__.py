"""Where alternatives lie: neighbours, clone clusters, sampling spaces, and Voronoi weights."""
