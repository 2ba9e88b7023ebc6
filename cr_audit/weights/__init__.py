"""How much each alternative counts: contexts, sampling spaces, cells, and the schemes over them."""
