"""What the comparison graph can carry, who dominates it, and the order of showing."""
