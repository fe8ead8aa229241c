"""Stand-ins for what cannot be had: an Anchore server."""
