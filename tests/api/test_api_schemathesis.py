"""The whole API against generated requests, good and bad, by its own document.

All checks that can hold: no server error, only documented statuses, media types and shapes, bad
data refused, good data accepted, wrong credentials refused, wrong methods answered. The order of
examples is fixed, so a failure here fails again.
"""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.http.app import create_app
from api.http.attempts import WINDOW_MS
from tests.api.fake_backend import TOKEN, FakeBackend

EXAMPLES = 40
RELATED = {"cursor", "since", "until", "start", "end", "channel"}
"""Parameters bound to each other, or to an earlier answer, beyond what a schema can say."""

RELATED_BODIES = {"/api/v1/rosters/{roster}/overrides", "/api/v1/sites/{site}/people"}
"""Bodies that name people and other fields beyond what a schema can say."""

REFUSED = {
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "404", "405", "413", "415", "422", "429"]
    }
}
"""A body that is too large is refused before anything else about it is looked at."""


class HurriedBackend(FakeBackend):
    """A minute passes with every question, so that throttling does not hide what is checked."""

    def monotonic_ms(self) -> int:
        """Later than the last time; all lanes have just worked."""
        self.utc_ms += WINDOW_MS
        now_ms = super().monotonic_ms()
        self.health.processed("safety", now_ms)
        self.health.processed("telemetry", now_ms)
        self.health.sql(reachable=True, now_ms=now_ms)
        return now_ms


BACKEND = HurriedBackend()
APP = create_app(BACKEND, callbacks=BACKEND.callbacks)
CONFIG = SchemathesisConfig(
    seed=20_240_823,
    projects=ProjectsConfig(
        default=ProjectConfig(
            headers={"Authorization": f"Bearer {TOKEN}"},
            checks=ChecksConfig.from_dict(REFUSED),
            generation=GenerationConfig(max_examples=EXAMPLES, deterministic=True, database="none"),
        )
    ),
)
SCHEMA = schemathesis.openapi.from_asgi("/api/v1/openapi.json", APP, config=CONFIG)


@SCHEMA.exclude(path="/api/v1/events").parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_its_word(case: schemathesis.Case[Any]) -> None:
    """Whatever is sent, the answer is one that the document allows."""
    related = not RELATED.isdisjoint(case.query) or case.operation.path in RELATED_BODIES
    case.call_and_validate(excluded_checks=[positive_data_acceptance] if related else None)
