"""Sending messages to teams: e-mail, Slack, webhooks."""
