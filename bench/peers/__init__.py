"""Compares our findings with those of grype and osv-scanner, on the same records and the same packages."""
