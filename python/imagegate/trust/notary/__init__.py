"""Notary v1: signing and verifying against a notary-server, without the notary or docker commands."""
