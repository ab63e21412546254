"""The table of faults in docs/registers.md is made of what was seen, and of nothing else."""

from faults.lanes import GROUPS, NAMES

from launcher.documents.fault_table import COLUMNS, FLAGS, load_record

RECORDED = load_record()


def test_every_fault_that_is_forced_is_recorded_in_its_order_and_words():
    rows = [(row.name, group, row.fault) for group, rows in GROUPS.items() for row in rows]
    assert [(fault.name, fault.group, fault.fault) for fault in RECORDED] == rows


def test_no_two_rows_have_one_name():
    assert len(set(NAMES)) == len(NAMES)


def test_every_flag_and_quality_is_told_of_every_fault():
    for fault in RECORDED:
        assert fault.flags.keys() == FLAGS.keys()
        assert fault.qualities.keys() == COLUMNS.keys()
