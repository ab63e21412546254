"""What could not be understood is kept as it came, within bounds, and never stops what goes well."""

from datetime import timedelta
from pathlib import Path

from dotbus.runtime.quarantine import Quarantine
from dotbus.testing.samples import AT


def test_bytes_are_kept_as_they_came_under_a_name_that_tells_when(tmp_path: Path):
    path = Quarantine(tmp_path / "q", 1000).keep(b"\x00<cut", "getDispatchBatch/DISP 1", AT)
    assert path is not None
    assert path.read_bytes() == b"\x00<cut"
    assert path.name == "20261013T141000.000000Z-getDispatchBatch_DISP_1"


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path):
    quarantine = Quarantine(tmp_path, 250)
    paths = [quarantine.keep(bytes(100), f"n{i}", AT + timedelta(seconds=i)) for i in range(4)]
    assert [path.exists() for path in paths if path] == [False, False, True, True]


def test_one_reply_larger_than_all_is_cut(tmp_path: Path):
    path = Quarantine(tmp_path, 10).keep(bytes(1000), "huge", AT)
    assert path is not None
    assert path.stat().st_size == 10


def test_a_folder_that_cannot_be_written_is_counted_and_not_raised(tmp_path: Path):
    (tmp_path / "file").write_text("")
    quarantine = Quarantine(tmp_path / "file" / "q", 10)
    assert quarantine.keep(b"x", "n", AT) is None
    assert (quarantine.kept, quarantine.failed) == (0, 1)
