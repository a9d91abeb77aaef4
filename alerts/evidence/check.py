"""Whether an evidence pack is what it was when it was made. Needs nothing but the pack."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from alerts.evidence import proof
from alerts.evidence.errors import PackError
from alerts.evidence.frozen import digest_of
from alerts.evidence.pack import AUDIT, FORMAT, MANIFEST

MAX_UNPACKED: Final = 2 * 1024**3
"""A pack that says it is larger is not looked into."""

_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    NotImplementedError,  # packed in a way that this Python does not know
    RuntimeError,  # encrypted
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a pack found; no ``problems`` = it is what it was."""

    incident: str
    files: int
    manifest_sha256: str
    anchor: str | None
    """The end of its part of the audit chain, for ``chargeward audit verify --expect``."""
    problems: Sequence[str]


def check_pack(path: Path) -> Checked:
    """Whether a pack is what it was when it was made. Blocking.

    Raises:
        PackError: it is no pack that can be read at all.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _checked(archive)
    except (*_UNREADABLE, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is no evidence pack that can be read: {error}"
        raise PackError(msg) from error


def _checked(archive: zipfile.ZipFile) -> Checked:
    infos = archive.infolist()
    if sum(info.file_size for info in infos) > MAX_UNPACKED:
        msg = "it would unpack to more than is looked into"
        raise ValueError(msg)
    manifest = archive.read(MANIFEST)
    told: Mapping[str, Any] = json.loads(manifest)
    if told["format"] != FORMAT:
        msg = f"its format is {told['format']!r}, not {FORMAT}"
        raise ValueError(msg)
    listed = {entry["name"]: entry["sha256"] for entry in told["files"]}
    there = [info.filename for info in infos if info.filename != MANIFEST]
    checked = Checked(
        incident=str(told["incident"]),
        files=len(infos),
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        anchor=told["audit_anchor"],
        problems=[
            *(f"{name}: not in the manifest" for name in there if name not in listed),
            *(f"{name}: there twice" for name in sorted(set(there)) if there.count(name) > 1),
            *(f"{name}: missing" for name in listed if name not in there),
            *(f"{name}: {wrong}" for name in there if (wrong := _wrong(archive, name, listed))),
            *(f"{name}: was not as registered when packed" for name in told["damaged"]),
        ],
    )
    return checked if checked.problems else replace(checked, problems=_chain(archive, told))


def _wrong(archive: zipfile.ZipFile, name: str, listed: Mapping[str, str]) -> str:
    """What is wrong with a file that stands in the manifest; nothing = empty."""
    try:
        with archive.open(name) as file:
            same = name not in listed or digest_of(file) == listed[name]
    except _UNREADABLE:
        same = False
    return "" if same else "altered"


def _chain(archive: zipfile.ZipFile, told: Mapping[str, Any]) -> Sequence[str]:
    extract = json.loads(archive.read(AUDIT))
    holds = proof.holds(extract) and extract["anchor"] == told["audit_anchor"]
    return () if holds else (f"{AUDIT}: the links do not lead to the anchor",)
