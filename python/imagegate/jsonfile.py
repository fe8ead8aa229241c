"""JSON documents of others, from files: SBOMs and VEX documents. What they hold is not trusted to be well-formed."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from imagegate.errors import ImagegateError

_Value = TypeVar("_Value")
_MARK = b"\xef\xbb\xbf"
_OTHER_FORMS = ((b"<", "XML"), (b"SPDXVersion:", "tag-value"), (b"---", "YAML"), (b"\x1f\x8b", "gzip"))


class JsonFile:
    """A document, read once. raw: its bytes."""

    def __init__(self, path: Path, limit: int, error: type[ImagegateError]) -> None:
        """limit: bytes. error: raised for all that is wrong with the document."""
        self.path, self._error = path, error
        try:
            with path.open("rb") as file:
                self.raw = file.read(limit + 1).removeprefix(_MARK)
        except OSError as problem:
            raise error(f"{path} cannot be read", why=problem.strerror or str(problem)) from problem
        if len(self.raw) > limit:
            raise error(f"{path} is larger than {limit} bytes", hint="See limits.metadata_file_size.")
        start = self.raw[:64].lstrip()
        form = next((name for beginning, name in _OTHER_FORMS if start.startswith(beginning)), "")
        if form:
            raise error(f"{path} is {form}", hint="Only the JSON form is read; most programs write it too.")

    def decode(self, kind: type[_Value]) -> _Value:
        """Return the document as a value of a type."""
        try:
            return msgspec.json.decode(self.raw, type=kind)
        except msgspec.ValidationError as problem:
            raise self._error(f"{self.path} is not valid", why=str(problem)) from problem
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise self._error(f"{self.path} is no JSON, or cut", why=str(problem)) from problem
        except RecursionError as problem:
            raise self._error(f"{self.path} is nested too deeply") from problem
