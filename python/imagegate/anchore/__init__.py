"""A real Anchore server, Engine (API v1) or Enterprise (API v2): the only place that knows its JSON."""
