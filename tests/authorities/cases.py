"""Pairs of versions to compare: real ones, and near neighbours of them, for neighbours are where orders differ."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from tests.authorities import Pair

DATA = Path(__file__).parents[1] / "data" / "versions"
SEED = 8472


def real(name: str) -> list[str]:
    versions: str = json.loads((DATA / "real.json").read_text(encoding="utf-8"))[name]
    return versions.split()


def pairs(seeds: Sequence[str], tokens: Sequence[str], count: int) -> list[Pair]:
    """Return pairs of which each is two real versions, or one and a variant, or two variants."""
    rng = random.Random(SEED)
    found: list[Pair] = []
    while len(found) < count:
        left = rng.choice(seeds)
        right = rng.choice(seeds) if rng.random() < 0.2 else left
        for _ in range(rng.randrange(3)):
            right = variant(rng, right, tokens)
        if rng.random() < 0.5:
            left = variant(rng, left, tokens)
        if left and right:
            found.append((left, right))
    return found


def variants(seeds: Sequence[str], tokens: Sequence[str], count: int) -> list[str]:
    """Return real versions and variants of them, each once."""
    rng = random.Random(SEED)
    found = dict.fromkeys(seeds)
    while len(found) < count:
        text = rng.choice(seeds)
        for _ in range(rng.randrange(1, 3)):
            text = variant(rng, text, tokens)
        found.setdefault(text)
    return [text for text in found if text]


def variant(rng: random.Random, text: str, tokens: Sequence[str]) -> str:
    at = rng.randrange(len(text) + 1)
    piece = "".join(rng.choice(tokens) for _ in range(rng.randrange(3)))
    return text[:at] + piece + text[at + rng.randrange(3) :]
