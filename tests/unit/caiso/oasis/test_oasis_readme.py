"""The README's example runs as it stands there."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from caiso.oasis import Market, OasisConnection, Question, Reply

README = Path(__file__).parents[4] / "libs" / "caiso" / "oasis" / "README.md"


def test_the_example_of_the_readme_asks_for_a_whole_trade_day(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    asked: list[Question] = []

    def fetch(_connection: OasisConnection, question: Question) -> Reply:
        asked.append(question)
        return Reply(404, b"", datetime.now(UTC), datetime.now(UTC))

    monkeypatch.setattr(OasisConnection, "fetch", fetch)
    scope: dict[str, object] = {}
    exec(code, scope)
    with pytest.raises(Exception, match="404"):
        scope["print_mean_of_a_day"](date(2025, 11, 2), "http://127.0.0.1:1/oasisapi")  # type: ignore[operator]
    (question,) = asked
    assert question.market is Market.DAM
    assert question.nodes == ("TH_NP15_GEN-APND", "TH_SP15_GEN-APND")
    assert (question.end - question.start).total_seconds() == 25 * 3600
