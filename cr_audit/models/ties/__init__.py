"""Bradley-Terry with ties: fits, resampling, places and who cannot be told apart."""
