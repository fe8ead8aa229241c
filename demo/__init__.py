"""The demo: the whole gate on real servers, on loopback, from a fresh machine to the verdicts."""
