"""imagegate: a gate between "an image was built" and "an image may be pulled"."""

__version__ = "0.1.0"
