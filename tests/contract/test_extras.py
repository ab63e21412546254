"""What can be installed: its names are those that every pip understands and that every text uses."""

import re
import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
PAGES = [TOP / "README.md", *TOP.glob("docs/**/*.md"), *TOP.glob("services/*/README.md"), TOP / "CHANGELOG.md"]
PROGRAMS = [path for folder in ("libs", "services", "simulators", "launcher") for path in (TOP / folder).rglob("*.py")]


def test_an_extra_has_no_underscore():
    """Its metadata has a hyphen in any case, and pip before 23.3 holds the two against each other as they are written."""
    assert [name for name in EXTRAS if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []


def test_every_extra_that_a_text_names_is_there():
    named = {
        extra
        for path in (*PAGES, *PROGRAMS, TOP / "pyproject.toml", TOP / "Dockerfile")
        for inside in re.findall(r"dotbus\[([\w,-]+)\]", path.read_text(encoding="utf-8"))
        for extra in inside.split(",")
    }

    assert {"ads-ingest", "demo"} <= named
    assert named <= EXTRAS


def test_every_program_says_which_extra_it_needs():
    for script, entry in PROJECT["scripts"].items():
        module = entry.partition(":")[0].replace(".", "/") + ".py"
        path = next(path for path in PROGRAMS if path.as_posix().endswith(module))
        needed = re.findall(r'packages_of\("([\w-]+)"\)', path.read_text(encoding="utf-8"))
        assert set(needed) <= EXTRAS, script
        assert needed or script in {"modbus-gateway", "alarms"}, "they need no package of their own: uvloop is optional"
