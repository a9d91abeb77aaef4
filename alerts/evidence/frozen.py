"""The frozen files of an incident as they are now, compared with what was registered."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from alerts.evidence.attachments import Attachment
from alerts.evidence.case import Case
from alerts.evidence.files import EvidenceFiles

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frozen:
    """The frozen files of a case as they are now."""

    files: EvidenceFiles
    number: str
    damaged: Sequence[str]
    """Names of files that are gone or are not what was registered."""

    def data(self, attachment: Attachment) -> bytes | None:
        """The file's bytes; None when it is gone."""
        path = self.files.path(self.number, attachment.name)
        return path.read_bytes() if path.is_file() else None


def look(case: Case, files: EvidenceFiles) -> Frozen:
    """The frozen files, each compared with its register."""
    damaged = [a.name for a in case.attachments if not _as_registered(files, case.number, a)]
    return Frozen(files, case.number, tuple(damaged))


def _as_registered(files: EvidenceFiles, number: str, attachment: Attachment) -> bool:
    path = files.path(number, attachment.name)
    if not path.is_file() or path.stat().st_size != attachment.bytes:
        return False
    with path.open("rb") as file:
        return digest_of(file) == attachment.sha256


def digest_of(file: IO[bytes]) -> str:
    """SHA-256 of what is left in an open file."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
