"""What a re-check found, as the JSON document `imagegate/recheck/1`."""

from __future__ import annotations

import json

import msgspec

from imagegate.model.news import News, Reaches


def render(news: News, reaches: Reaches) -> str:  # noqa: ARG001 - the renderers' signature
    """Return indented JSON in ASCII: nothing in it steers the terminal of somebody who looks into the file."""
    return json.dumps(msgspec.to_builtins(news), indent=2) + "\n"
