"""What is allowed now: the join of all restraints, and the review of each order against it."""
