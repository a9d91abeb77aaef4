"""The site file: a site as TOML, read with errors that name the field, written back whole."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from devices.errors import SiteFileError
from devices.model import Site

_PACKAGED = "caimarenjia.toml"
MAX_BYTES = 8 * 1024 * 1024
"""The largest site file that is read: 10,000 stations take about 4 MB."""


def load_site(path: Path) -> Site:
    """Read and check one site file.

    Raises:
        SiteFileError: it cannot be read, is no TOML, or says something impossible.

    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SiteFileError(str(path), (f"larger than {MAX_BYTES} bytes",))
        data = path.read_bytes()
    except OSError as error:
        raise SiteFileError(str(path), (error.strerror or str(error),)) from error
    return parse_site(data, str(path))


def parse_site(data: bytes, source: str) -> Site:
    """Check the bytes of a site file; ``source`` names it in errors.

    Raises:
        SiteFileError: no UTF-8, no TOML, or something impossible.

    """
    try:
        raw = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise SiteFileError(source, (f"byte {error.start} is not UTF-8",)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SiteFileError(source, (f"not TOML: {error}",)) from error
    try:
        return Site.model_validate(raw)
    except ValidationError as error:
        problems = tuple(line for item in error.errors() for line in _lines(dict(item)))
        raise SiteFileError(source, problems) from error


def dump_site(site: Site) -> str:
    """The site as TOML that ``parse_site`` reads back to an equal site."""
    data = site.model_dump(mode="json", exclude_none=True)
    for model, station in zip(site.stations, data["stations"], strict=True):
        for name, own in (("trips", model.trips), ("intervals", model.intervals)):
            if own is not None:
                station[name] = own.model_dump(exclude_unset=True)
        _drop_empty(station, ("trips", "intervals", "rules", "cameras"))
    _drop_empty(data, ("rules", "cameras"))
    return tomli_w.dumps(data)


def packaged_site() -> Site:
    """The site we start with: 蔡马人家 (Caimarenjia), Hangzhou, 16 stations."""
    file = resources.files("devices") / "data" / _PACKAGED
    return parse_site(file.read_bytes(), _PACKAGED)


def _drop_empty(table: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not table.get(name, True):
            del table[name]


def _lines(item: dict[str, Any]) -> list[str]:
    """One line per problem: the field as written in the file, what is wrong, what was found."""
    field = _path(item["loc"])
    if item["type"] == "value_error":  # our own checks name their fields themselves
        own = str(item["ctx"]["error"]).splitlines()
        return [f"{field}: {line}" if field else line for line in own]
    found = item["input"]
    shown = f", found {found!r:.80}" if isinstance(found, str | int | float) else ""
    return [f"{field}: {item['msg'][0].lower()}{item['msg'][1:]}{shown}"]


def _path(loc: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")
