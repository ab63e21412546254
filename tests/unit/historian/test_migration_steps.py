"""The steps to the tables are one line. Two that follow one step, made side by side, let no historian start."""

import importlib
import pkgutil

from historian.migrations import head, known_revisions, versions

STEPS = [importlib.import_module(f"{versions.__name__}.{one.name}") for one in pkgutil.iter_modules(versions.__path__)]


def test_each_step_follows_the_one_numbered_before_it_and_the_first_follows_none():
    numbers = [step.revision for step in STEPS]

    assert numbers == sorted(set(numbers))
    assert [step.down_revision for step in STEPS] == [None, *numbers[:-1]]
    assert (head(), known_revisions()) == (numbers[-1], set(numbers))


def test_a_step_is_numbered_as_its_file_is():
    assert [step.__name__.rpartition(".v")[2][:4] for step in STEPS] == [step.revision for step in STEPS]
