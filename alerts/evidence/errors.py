"""What can go wrong with evidence.

::

    EvidenceError
    ├── PhotoRefusedError    the file cannot be taken as a photo; ``refusal`` says why
    ├── NoIncidentError      there is no incident of that number
    ├── StillError           a camera gave no still; worth another try
    │   └── StillRefused     it will not give one until a person changes something
    └── PackError            a pack cannot be read, or is not what it was
"""

from enum import StrEnum


class EvidenceError(Exception):
    """Base of this package's errors. Never carries a secret."""


class Refusal(StrEnum):
    """Why a photo is not taken."""

    TOO_LARGE = "too_large"  # more than 10 MB
    TOO_MANY_PIXELS = "too_many_pixels"  # more than 40 megapixels
    HEIC = "heic"  # a phone's own format: it can send JPEG when asked
    NO_IMAGE = "no_image"  # neither JPEG, PNG nor WebP
    DAMAGED = "damaged"  # it begins like an image and cannot be read to its end
    TOO_MANY = "too_many"  # the incident has as many photos as it may


class PhotoRefusedError(EvidenceError):
    """The file cannot be taken as a photo; nothing was kept."""

    def __init__(self, refusal: Refusal) -> None:
        """With its reason."""
        super().__init__(refusal.value)
        self.refusal = refusal


class NoIncidentError(EvidenceError):
    """There is no incident of that number."""


class StillError(EvidenceError):
    """A camera gave no still this time."""


class StillRefused(StillError):  # noqa: N818 - the type is the sentence: a person must act
    """A camera will give no still until its address, login or settings are changed."""


class PackError(EvidenceError):
    """A pack cannot be read, or is not what it was when it was made."""
