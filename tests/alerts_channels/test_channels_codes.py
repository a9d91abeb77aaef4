"""The tables of the providers' codes, and the words around them: pure."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.codes import ALIYUN, GAMMU, TENCENT, Meaning, explain, redacted
from alerts.channels.phones import dialled
from alerts.channels.port import Permanent, Retryable, SendError, Throttled, Unknown

KINDS = (Retryable, Unknown, Throttled, Permanent)


@pytest.mark.parametrize("table", [ALIYUN, TENCENT, GAMMU], ids=["aliyun", "tencent", "gammu"])
def test_every_line_can_be_reached(table: tuple[Meaning, ...]) -> None:
    """No line stands twice, none comes after the same pattern without a condition."""
    for earlier, later in combinations(table, 2):
        assert (earlier.code, earlier.detail) != (later.code, later.detail)
        assert not (earlier.code == later.code and earlier.detail == "*")
    for line in table:
        assert line.error in KINDS
        assert (line.retry_after_s > 0) is (line.error is Throttled), line


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("gammu-102", Retryable),  # busy or away
        ("gammu-103", Retryable),  # locked by another program
        ("gammu-104", Retryable),  # unplugged
        ("gammu-114", Unknown),
        ("gammu-123", Retryable),  # PIN: somebody can enter it
        ("gammu-127", Retryable),
        ("gammu-131", Permanent),
        ("gammu-154", Permanent),
        ("gammu-2", Permanent),
        ("gammu--9", Retryable),  # killed
    ],
)
def test_the_modems_exit_codes(code: str, kind: type[SendError]) -> None:
    """A device that is away may come back; a wrong configuration does not mend itself."""
    assert type(explain(GAMMU, code)) is kind


@given(code=st.text(max_size=100), detail=st.text(max_size=300))
def test_any_code_is_some_error(code: str, detail: str) -> None:
    """Within the ledger's columns, whatever a provider makes up."""
    for table in (ALIYUN, TENCENT, GAMMU):
        error = explain(table, code, detail)
        assert isinstance(error, SendError)
        assert len(error.code) <= 80
        assert len(error.detail) <= 200


@given(
    secrets=st.lists(st.text(st.characters(exclude_characters="*"), min_size=1), max_size=4),
    parts=st.lists(st.text(), max_size=4),
)
def test_no_secret_is_left(secrets: list[str], parts: list[str]) -> None:
    """Neither one alone nor one that holds another."""
    text = "".join(part + secret for part, secret in zip(parts, secrets, strict=False))
    left = redacted(text, [*secrets, ""])
    assert len(left.replace("***", "")) <= len(text)
    for secret in secrets:
        assert secret not in redacted(secret, secrets)


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("+8613800000001", "13800000001"),
        ("+85291234567", "85291234567"),
        ("+14155550100", "14155550100"),
    ],
)
def test_numbers_as_aliyun_wants_them(phone: str, expected: str) -> None:
    """Eleven digits at home, country code and number abroad."""
    assert dialled(phone) == expected
