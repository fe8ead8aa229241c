"""Errors that explain themselves: what happened, to what, why, and what to do next.

Every error that imagegate raises on purpose is an `ImagegateError`. `cli.main` is the one place that catches it.
The exit code follows the design: 1 when the gate decided "no" (policy or trust), 2 when it could not decide.
"""

from __future__ import annotations


class ImagegateError(Exception):
    """Root of all errors raised on purpose.

    what: what happened and to what, one clause without a final full stop; never a secret.
    why: the cause, as the other side said it when it did.
    hint: what the reader can do next.
    """

    exit_code = 2

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.hint = what, why, hint

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text}. {self.hint}" if self.hint else text


class UsageError(ImagegateError):
    """The command's words contradict each other or name something that is not there."""


class ConfigError(ImagegateError):
    """Settings are wrong; `what` lists all mistakes at once."""


class InvalidReference(ImagegateError):
    """Text that is no image reference, repository, tag, digest or platform."""


class NetworkError(ImagegateError):
    """A server could not be reached, or stayed busy or broken for the whole budget."""


class AuthenticationFailed(ImagegateError):
    """A server refused the credentials (401) or what they allow (403)."""


class RegistryError(ImagegateError):
    """A registry answered with something other than what the distribution specification says."""


class ImageNotFound(RegistryError):
    """The repository, tag, digest, file or daemon image is not there."""


class InvalidImage(ImagegateError):
    """Bytes that are no valid image: malformed, truncated, or meant to do harm."""


class DigestMismatch(InvalidImage):
    """Content does not have the digest or size that its descriptor states."""


class LimitExceeded(InvalidImage):
    """Content is over a stated limit (size, number, depth, ratio); the hint names the setting."""


class AnalysisError(ImagegateError):
    """An image was read but could not be analysed completely; never turned into a pass."""


class AdvisoryError(ImagegateError):
    """The advisory database is absent, damaged, or lacks what was asked."""


class InventoryError(ImagegateError):
    """The inventory of promoted images cannot be opened, read or written."""


class AnchoreError(ImagegateError):
    """An Anchore server refused a request, failed to analyse, or answered with what its API does not say.

    status: the HTTP status, 0 for none; words: what the server said.
    """

    def __init__(self, what: str, *, why: str = "", hint: str = "", status: int = 0, words: str = "") -> None:
        super().__init__(what, why=why, hint=hint)
        self.status, self.words = status, words


class PolicyError(ImagegateError):
    """A policy document is invalid, or no rule of it decides about the image."""


class SbomError(ImagegateError):
    """An SBOM is of no form that is read, or damaged, or cannot be written of what was asked."""


class VexError(ImagegateError):
    """A VEX document is of no form that is read, or damaged, or says what its format does not allow."""


class BuildError(ImagegateError):
    """An image could not be built."""


class TrustError(ImagegateError):
    """A signature could not be made or checked (keys, passphrases, a server's answer)."""


class NotTrusted(TrustError):
    """Checked, and the answer is no: unsigned, wrong signer, tampered, rolled back, frozen or expired metadata."""

    exit_code = 1


class TagConflict(ImagegateError):
    """A released tag names another digest, and overwriting was not asked for by name."""

    exit_code = 1
