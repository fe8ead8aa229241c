"""The analysis of an image: every layer's from the cache or from one reading, then the overlay of them all."""

from __future__ import annotations

import msgspec

from imagegate import __version__
from imagegate.analysis import patterns
from imagegate.analysis.store import LayerStore
from imagegate.image.source import ImageSource
from imagegate.model import Analysis, PlatformImage
from imagegate.progress import Progress
from imagegate.settings import AnalysisSettings, Limits

REVISION = 10
"""Counts the changes to what an analysis holds; part of every cache key."""


def analyze(
    image: PlatformImage,
    source: ImageSource,
    *,
    settings: AnalysisSettings,
    limits: Limits,
    store: LayerStore,
    progress: Progress,
) -> Analysis:
    """Return all that is known about the content of an image.

    Reads only layers that the store does not know. Raises DigestMismatch, InvalidImage and LimitExceeded for what an
    image must not hold, AnalysisError when syft is needed and cannot be had, and what the source raises.
    """
    signatures = _signatures(settings)
    key = cache_key(settings, signatures)
    known = store.image(image.digest, f"{key}\n{image.platform}")
    if known is not None:
        return known
    from imagegate.analysis.reading import ImageReader  # What a warm start does not need is not imported.

    analysis = ImageReader(image, source, settings, limits, store, progress, key, signatures).read()
    store.save_image(image.digest, f"{key}\n{image.platform}", analysis)
    return analysis


def analyzer_version() -> str:
    """Return the version that an Analysis states."""
    return f"imagegate {__version__} ({REVISION})"


def cache_key(settings: AnalysisSettings, signatures: str) -> str:
    """Return all that decides a result besides the layer itself. signatures: the virus scanner's, empty for none."""
    from imagegate.analysis.syft import identity

    syft = "" if settings.catalogers == "native" else identity()
    retrieve = "\n".join(sorted(settings.retrieve))
    searched = msgspec.json.encode((patterns.secrets(settings.secrets), settings.contents, settings.search_max_size))
    decides = (
        analyzer_version(),
        settings.catalogers,
        settings.lock_files,
        syft,
        settings.verify,
        settings.retrieve_max_size,
        retrieve,
        searched.decode(),
        signatures,
    )
    return "\n".join(map(str, decides))


def _signatures(settings: AnalysisSettings) -> str:
    if not settings.malware.scanner:
        return ""
    from imagegate.analysis import malware

    return malware.version(settings.malware)
