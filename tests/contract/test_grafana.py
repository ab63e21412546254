"""Alert rules and dashboard ask for what the services tell, by metric and label; each rule is tested, each question PromQL."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher.documents.metrics_table import described
from launcher.setup.provision import MEASURED

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text())["groups"] for rule in group["rules"]
]
RULES_TEST = TOP / "tests/fixtures/prometheus/rules.test.yml"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/dashboards/dotbus.json").read_text())
SCRAPED: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
COMPOSE: dict[str, Any] = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]
LABELS = {one.name: {*one.labels, "job", "instance"} for metrics in described().values() for one in metrics}
OF_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity"}}
SELECTOR = re.compile(r"\b(dotbus_\w+|\w+_ingest_\w+|historian_\w+|alarms_\w+|up|ALERTS)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')


def exprs() -> Iterator[tuple[str, str]]:
    """Every question with what it is for."""
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("what", "expr"), [*exprs()])
def test_each_metric_that_is_asked_for_is_told_and_has_the_labels_that_are_matched(what: str, expr: str):
    known = LABELS | OF_PROMETHEUS
    asked = SELECTOR.findall(expr)
    assert asked, f"{what}: asks for nothing of ours"
    for name, matchers in asked:
        assert name in known, f"{what}: nobody tells {name}"
        assert set(MATCHER.findall(matchers)) <= known[name], f"{what}: {name} has no such label"


def test_what_can_be_chosen_are_labels_of_metrics_that_are_told():
    for variable in DASHBOARD["templating"]["list"]:
        metric, label = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"]).groups()
        assert label in LABELS[metric]


def test_every_question_is_promql(tmp_path: Path):
    asked = [re.sub(r"\$\w+", ".*", expr) for _, expr in exprs()]
    rules = [{"record": f"question:{number}", "expr": expr} for number, expr in enumerate(asked)]
    file = tmp_path / "questions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": rules}]}))
    checked = promtool("check", "rules", str(file))
    assert checked.returncode == 0, checked.stderr


def test_the_alert_rules_fire_on_what_they_are_for_and_not_on_what_they_are_not():
    tested = promtool("test", "rules", str(RULES_TEST))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_rule_has_its_test_and_says_what_to_do():
    fired = {
        case["alertname"]
        for test in yaml.safe_load(RULES_TEST.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in RULES}
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "do"} <= set(rule["annotations"])


def test_every_service_that_tells_metrics_is_asked_by_its_own_token_where_it_listens():
    files = {job["job_name"]: job["authorization"]["credentials_file"] for job in SCRAPED}
    assert files == {name.replace("_", "-"): f"/run/dotbus/{name}.token" for name in MEASURED}
    prometheus = set(COMPOSE["prometheus"]["networks"])
    for job in SCRAPED:
        name, ((target,),) = job["job_name"], [one["targets"] for one in job["static_configs"]]
        environment, prefix = COMPOSE[name]["environment"], name.replace("-", "_").upper()
        assert target == f"{name}:{environment[f'{prefix}_HEALTH_PORT']}"
        assert environment[f"{prefix}_HEALTH_HOST"] == "0.0.0.0"
        assert environment[f"{prefix}_METRICS_TOKEN_FILE"] == "/run/dotbus/metrics.token"
        assert prometheus & set(COMPOSE[name]["networks"])


def test_a_gap_stays_a_gap_and_what_is_absent_says_so():
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["noValue"] == "not known"


def test_panels_lie_beside_each_other_and_each_has_a_number_of_its_own():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    taken = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_grafana_asks_the_prometheus_of_the_installation_with_its_certificate_and_tells_nobody_elsewhere():
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/dotbus.yml").read_text())["datasources"]
    assert source["url"] == "https://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"] if "datasource" in panel} == {source["uid"]}
    assert "tlsSkipVerify" not in source["jsonData"]
    web = yaml.safe_load((DEPLOY / "prometheus/web.yml").read_text())
    assert web["tls_server_config"]["client_auth_type"] == "RequireAndVerifyClientCert"
    environment = COMPOSE["grafana"]["environment"]
    assert environment["GF_ANALYTICS_REPORTING_ENABLED"] == "false"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in environment
