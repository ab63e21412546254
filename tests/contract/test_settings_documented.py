"""Every variable of a service has its line in the service's README, and the README names no other."""

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from ads_ingest.settings import AdsSettings
from alarms.settings import AlarmsSettings
from console.settings import ConsoleSettings
from dotbus.runtime.settings.settings import BusSettings, ServiceSettings
from historian.api.app import described_app
from historian.api.problems import Sort
from historian.api.settings import ApiSettings
from historian.settings import API_PREFIX, HistorianSettings
from launcher.commands import PlacesSettings
from lmp_ingest.settings import OasisSettings
from modbus_gateway.settings import GatewaySettings

SERVICES = Path(__file__).parents[2] / "services"
OWN = {
    "ads_ingest": AdsSettings,
    "lmp_ingest": OasisSettings,
    "modbus_gateway": GatewaySettings,
    "historian": HistorianSettings,
    "alarms": AlarmsSettings,
    "console": ConsoleSettings,
}
SHARED = {name.upper() for name in ServiceSettings.model_fields} | {f"MQTT_{name.upper()}" for name in BusSettings.model_fields}


@pytest.mark.parametrize(("service", "settings"), OWN.items())
def test_readme_and_settings_name_the_same_variables(service: str, settings: type[BaseSettings]):
    text = (SERVICES / service / "README.md").read_text(encoding="utf-8").replace(API_PREFIX, "")
    named = set(re.findall(rf"\b{service.upper()}_([A-Z][A-Z_]*[A-Z])\b", text))
    own = {name.upper() for name in settings.model_fields}
    assert own <= named, f"not in the README: {sorted(own - named)}"
    assert named <= own | SHARED, f"no such variable: {sorted(named - own - SHARED)}"


@pytest.mark.parametrize(("service", "settings"), OWN.items())
def test_a_readme_tells_the_defaults_that_the_code_has(service: str, settings: type[BaseSettings]):
    text = (SERVICES / service / "README.md").read_text(encoding="utf-8")
    require_defaults(text, f"{service.upper()}_", settings)


def test_the_page_of_the_api_has_every_variable_of_its_own_with_its_default():
    text = (SERVICES.parent / "docs/api.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| `{API_PREFIX}([A-Z_]+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(name.upper() for name in ApiSettings.model_fields)
    require_defaults(text, API_PREFIX, ApiSettings)


def require_defaults(text: str, prefix: str, settings: type[BaseSettings]) -> None:
    told = dict(re.findall(rf"^\| `{prefix}([A-Z_]+)` \| ([^|]*) \|", text, re.MULTILINE))
    assert told, "its table of variables has a column of defaults"
    for name, field in settings.model_fields.items():
        if name.upper() not in told:
            continue
        said, default = told[name.upper()].strip().strip("`"), default_of(field)
        assert said == default or (default == "" and " " in said), f"{name}: {said} told, {default} is"


def default_of(field: FieldInfo) -> str:
    """As a table shows it: nothing where there is none."""
    if field.is_required():
        return "required"
    match field.get_default(call_default_factory=True):
        case None | () | "":
            return ""
        case bool(value):
            return str(value).lower()
        case float(value):
            return f"{value:g}"
        case value:
            return str(value)


def test_the_shared_variables_have_their_lines_too():
    text = (SERVICES.parent / "docs/settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(SHARED)
    for name in PlacesSettings.model_fields:
        assert f"`DOTBUS_{name.upper()}`" in text


def test_the_page_of_the_api_has_every_sort_of_problem():
    text = (SERVICES.parent / "docs/api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(/problems/[a-z-]+)` \| (\d+) \| ([^|]+) \|", text, re.MULTILINE)
    assert rows == [(sort.type, str(sort.status), sort.title) for sort in Sort]


def test_the_page_of_the_api_has_every_path():
    text = (SERVICES.parent / "docs/api.md").read_text(encoding="utf-8")
    paths = described_app().openapi()["paths"]
    assert [path for path in paths if f"`{path}`" not in text] == []
