"""What it takes for a file to be there, whole, after a power cut."""

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable: a file that was synced can still lose its name."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(path: Path, data: bytes) -> None:
    """Give ``path`` the content ``data``: after a crash it has all of the old or all of the new."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)
