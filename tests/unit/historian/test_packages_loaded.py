"""Which packages a process loads: memory that it does not need is another one's, and there may be several of the API."""

import subprocess
import sys

import pytest

HEAVY = ["alembic", "pandas", "polars", "pyarrow", "pyarrow.compute", "pyarrow.dataset", "fastapi", "uvicorn", "matplotlib"]
A_BATCH = """
import pyarrow as pa
from historian.api.formats.schema import as_said, schema_of
from historian.api.questions.question import Column, Kind
from historian.api.request.times import Zone
said = schema_of([Column("at", Kind.TIME), Column("names", Kind.TEXTS), Column("mw", Kind.NUMBER)], Zone.PACIFIC)
given = pa.schema({"at": pa.timestamp("us", "UTC"), "names": pa.list_(pa.string()), "mw": pa.float64()})
columns = [pa.nulls(1, field.type) for field in given]  # of values pandas would be asked
(batch,) = as_said([pa.RecordBatch.from_arrays(columns, schema=given)], said)
assert batch.schema == said
"""


def loaded_by(code: str) -> set[str]:
    told = f"{code}\nimport sys\nprint(*set({HEAVY}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("import historian.__main__", set()),
        ("import historian.__main__, historian.api.processes", {"uvicorn"}),
        ("import historian.__main__, historian.api.process", {"fastapi", "uvicorn", "pyarrow"}),
        (f"import historian.api.process{A_BATCH}", {"fastapi", "uvicorn", "pyarrow"}),
    ],
    ids=["command", "who looks after processes", "a process of the API", "one that streams Arrow"],
)
def test_a_process_loads_what_it_needs_and_nothing_of_what_is_heavy_beside_it(code: str, needed: set[str]):
    assert loaded_by(code) == needed
