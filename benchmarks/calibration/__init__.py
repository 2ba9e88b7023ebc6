"""Do the intervals cover the truth, and do clean data stay unflagged?"""
