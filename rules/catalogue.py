"""The rule catalogue: every rule typed and bounded, every number settable per site and station.

Defaults ship as data (``catalogue.toml``). A refused override names the field, the value and
the allowed range, because the person who reads it edits a site file.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import ErrorDetails

from rules.errors import CatalogueError
from rules.rule_models import RULES, Rule, RuleBase
from rules.tiers import FIXED, Section, SessionSettings, Tier

_MODELS: dict[str, type[RuleBase]] = {
    model.model_fields["id"].annotation.__args__[0]: model  # type: ignore[union-attr]
    for model in RULES
}
_SESSIONS = "sessions"
_R = TypeVar("_R", bound=RuleBase)


class _Document(Section):
    """The catalogue as a file: session settings and all rules, each exactly once."""

    sessions: SessionSettings
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        ids = [rule.id for rule in self.rules]
        if sorted(ids) != sorted(_MODELS):
            missing = ", ".join(sorted(set(_MODELS) - set(ids))) or "none"
            double = ", ".join(sorted({i for i in ids if ids.count(i) > 1})) or "none"
            msg = f"every rule must stand exactly once; missing: {missing}; twice: {double}"
            raise ValueError(msg)
        return self


class Catalogue:
    """All rules with their settings; immutable. Two with the same settings are equal."""

    def __init__(self, document: _Document) -> None:
        """Made by ``load``, ``default`` and ``with_overrides``."""
        self._document = document
        self.sessions: SessionSettings = document.sessions
        self.rules: dict[str, RuleBase] = {r.id: r for r in document.rules}
        content = json.dumps(document.model_dump(mode="json"), sort_keys=True)
        self.version: str = hashlib.sha256(content.encode()).hexdigest()[:12]
        """Short content hash: what every recorded decision can be traced to."""

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Read a catalogue from TOML text or from a file.

        Raises:
            CatalogueError: one line per field that is not accepted.

        """
        text = source.read_text("utf-8") if isinstance(source, Path) else source
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CatalogueError([f"not TOML: {error}"]) from None
        data["rules"] = tuple(data.get("rules", ()))
        return cls(_validated(data))

    @classmethod
    def default(cls) -> "Catalogue":
        """The catalogue that ships beside the code."""
        return _default()

    def with_overrides(self, overrides: Mapping[str, object]) -> "Catalogue":
        """A catalogue that differs in ``{"R02": {"sustained": {"limit_c": 85}}}``.

        The settings of a rule with a single tier may stand directly under the rule. The
        section ``sessions`` may be overridden in the same way.

        Raises:
            CatalogueError: one line per field: its name, its value, what is allowed.

        """
        if not overrides:
            return self
        data: dict[str, Any] = self._document.model_dump()
        by_id = {rule["id"]: rule for rule in data["rules"]}
        problems: list[str] = []
        for name, wanted in overrides.items():
            target = data[_SESSIONS] if name == _SESSIONS else by_id.get(name)
            if target is None:
                known = ", ".join([*sorted(by_id), _SESSIONS])
                problems.append(f"{name}: no such rule; there are {known}")
            elif not isinstance(wanted, Mapping):
                problems.append(f"{name}: needs a table of settings, found {wanted!r}")
            else:
                _merge(target, _routed(name, wanted), name, problems)
        if problems:
            raise CatalogueError(problems)
        return Catalogue(_validated(data))

    def rule(self, rule_id: str) -> RuleBase:
        """One rule by id; KeyError for an id that does not exist."""
        return self.rules[rule_id]

    def of(self, model: type[_R]) -> _R:
        """The rule of one model, with its type; there is exactly one of each."""
        return next(rule for rule in self.rules.values() if isinstance(rule, model))

    def tier(self, rule_id: str, tier: str) -> Tier:
        """One tier of a rule; KeyError where it does not exist."""
        return dict(self.rules[rule_id].tiers())[tier]

    def as_dict(self) -> dict[str, Any]:
        """All settings as JSON-able values, for the API and the record."""
        return self._document.model_dump(mode="json")

    def __eq__(self, other: object) -> bool:
        """Equal settings."""
        return isinstance(other, Catalogue) and other.version == self.version

    def __hash__(self) -> int:
        """By content."""
        return hash(self.version)


@cache
def _default() -> Catalogue:
    return Catalogue.load((resources.files("rules") / "catalogue.toml").read_text("utf-8"))


def _routed(rule_id: str, wanted: Mapping[str, object]) -> Mapping[str, object]:
    """Settings of a single-tier rule, moved under ``main`` where they stand beside it."""
    model = _MODELS.get(rule_id)
    if model is None or set(model.model_fields) != {*RuleBase.model_fields, "id", "main"}:
        return wanted
    own = {k: v for k, v in wanted.items() if k in model.model_fields}
    loose = {k: v for k, v in wanted.items() if k not in model.model_fields}
    main = own.get("main", {})
    if loose and isinstance(main, Mapping):
        own["main"] = {**main, **loose}
    return own


def _merge(
    target: dict[str, Any], wanted: Mapping[str, object], path: str, problems: list[str]
) -> None:
    for key, value in wanted.items():
        here = f"{path}.{key}"
        if key in FIXED:
            problems.append(f"{here}: cannot be overridden; use shadow or enabled instead")
        elif key not in target:
            known = ", ".join(k for k in target if k not in FIXED)
            problems.append(f"{here}: no such setting; there are {known}")
        elif isinstance(target[key], dict):
            if isinstance(value, Mapping):
                _merge(target[key], value, here, problems)
            else:
                problems.append(f"{here}: needs a table of settings, found {value!r}")
        else:
            target[key] = value


def _validated(data: dict[str, Any]) -> _Document:
    try:
        return _Document.model_validate(data)
    except ValidationError as error:
        raise CatalogueError([_explained(e, data) for e in error.errors()]) from None


def _explained(error: ErrorDetails, data: dict[str, Any]) -> str:
    """One line: the field, the value that was given, and what is allowed."""
    rule_id, names = _located(error, data)
    where = ".".join([*([rule_id] if rule_id else []), *names])
    if error["type"] == "value_error":
        return f"{where or 'catalogue'}: {error['msg'].removeprefix('Value error, ')}"
    allowed = _allowed(rule_id, names)
    return f"{where or 'catalogue'}: {error['input']!r} is refused; {allowed or error['msg']}"


def _located(error: ErrorDetails, data: dict[str, Any]) -> tuple[str | None, list[str]]:
    loc = list(error["loc"])
    if len(loc) > 1 and loc[0] == "rules" and isinstance(loc[1], int):
        rule_id = str(data["rules"][loc[1]].get("id", f"rules[{loc[1]}]"))
        return rule_id, [str(x) for x in loc[2:] if x != rule_id]
    return None, [str(x) for x in loc]


def _allowed(rule_id: str | None, names: list[str]) -> str | None:
    """The range that the model states for a field, in words; None where it states none."""
    model: type[BaseModel] | None = _MODELS.get(rule_id or "")
    if rule_id is None and names[:1] == [_SESSIONS]:
        model, names = SessionSettings, names[1:]
    for depth, name in enumerate(names):
        if model is None or name not in model.model_fields:
            return None
        field = model.model_fields[name]
        if depth == len(names) - 1:
            ge = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
            le = next((m.le for m in field.metadata if hasattr(m, "le")), None)
            kind = getattr(field.annotation, "__name__", "value")
            return f"allowed: {kind}" + ("" if ge is None else f" from {ge:g} to {le:g}")
        inner = field.annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    return None
