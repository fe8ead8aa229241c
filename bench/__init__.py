"""The benchmark: whole processes beside their peers, in one run on one machine, as ratios."""
