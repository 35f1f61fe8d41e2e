"""The alerts, tried with promtool; and the names of all metrics that are asked for."""

import json
import re

import pytest
import yaml

from alert_cases import CASES
from prometheus import promtool, run_rule_tests
from rendering import MANIFESTS, find, overlay, parse

METRICS = {
    # the daemons
    "http_requests_total",
    "http_request_duration_seconds",
    "http_connections",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
    "log_pong_build_info",
    # pingpong
    "pingpong_pings_total",
    "pingpong_pings_failed_total",
    "pingpong_batch_size",
    "pingpong_commit_duration_seconds",
    "pingpong_queue_length",
    "pingpong_database_up",
    "pingpong_database_reconnects_total",
    "pingpong_recovered_batches_total",
    "pingpong_history_lost_total",
    # reader
    "log_output_upstream_requests_total",
    "log_output_upstream_duration_seconds",
    "log_output_upstream_queue_length",
    "log_output_shared_file_age_seconds",
    "log_output_pingpong_ready",
    # witness
    "witness_requests_total",
    "witness_request_duration_seconds",
    "witness_requests_in_flight",
    "witness_violations_total",
    "witness_outage",
    "witness_outages_total",
    "witness_outage_seconds_total",
    "witness_highest_number",
    "witness_lines_lost_total",
    # Prometheus itself
    "up",
}
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
# Words of the query language and names of labels that stand where a metric could.
NO_METRIC = {
    "sum",
    "max",
    "min",
    "avg",
    "count",
    "rate",
    "increase",
    "changes",
    "absent",
    "vector",
    "histogram_quantile",
    "by",
    "on",
    "or",
    "group_left",
    "namespace",
    "pod",
    "version",
    "code",
    "reason",
    "le",
    "outcome",
    "result",
    "kind",
    "s",
    "m",
}


def groups():
    return find(parse(overlay("gitops")), "PrometheusRule", "log-pong")["spec"]["groups"]


def alerts():
    return {rule["alert"]: rule for group in groups() for rule in group["rules"]}


def dashboard():
    config = find(parse(overlay("gitops")), "ConfigMap", "log-pong-dashboard")
    return json.loads(config["data"]["log-pong.json"])


def queries():
    for name, rule in alerts().items():
        yield name, rule["expr"]
    template = find(parse(overlay("gitops")), "AnalysisTemplate", "cpu-usage-analysis")
    for metric in template["spec"]["metrics"]:
        yield metric["name"], metric["provider"]["prometheus"]["query"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def metrics_in(query):
    bare = re.sub(r"\{\{.*?\}\}|\"[^\"]*\"|\{[^{}]*\}|\[[^\]]*\]", " ", re.sub(r"\{\{[^{}]*\}\}", "", query))
    for word in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare):
        if word not in NO_METRIC:
            yield word


def known(word):
    return word in METRICS or (HISTOGRAM.search(word) and HISTOGRAM.sub("", word) in METRICS)


def as_test(case):
    """One promtool test: the alert fires as described, or stays quiet."""
    expected = [{"exp_labels": {"severity": case["severity"], **case["fires"]}, "exp_annotations": case["says"]}] if "fires" in case else []
    return {
        "interval": "15s",
        "input_series": [{"series": key, "values": value} for key, value in case["series"].items()],
        "alert_rule_test": [{"eval_time": case["at"], "alertname": case["alert"], "exp_alerts": expected}],
    }


def complete(case):
    """Texts are taken from the rule where they hold no value, so that a case stays short."""
    rule = alerts()[case["alert"]]
    says = {**rule["annotations"], **case.get("says", {})}
    return {**case, "severity": rule["labels"]["severity"], "says": says}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['alert']}: {c['name']}")
def test_alert(tmp_path, case):
    assert run_rule_tests(tmp_path, groups(), [as_test(complete(case))]) == ""


@pytest.mark.parametrize("alert", sorted(alerts()))
def test_each_alert_is_seen_firing_and_quiet(alert):
    mine = [case for case in CASES if case["alert"] == alert]
    assert any("fires" in case for case in mine) and any("fires" not in case for case in mine)


def test_a_wrong_expectation_is_noticed(tmp_path):
    firing = next(case for case in CASES if "fires" in case)
    quiet = {key: value for key, value in firing.items() if key != "fires"}
    assert run_rule_tests(tmp_path, groups(), [as_test(complete(quiet))]) != ""


def test_promtool_finds_no_fault_with_the_rules(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups()}), encoding="utf-8")
    done = promtool("check", "rules", "rules.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("where, query", list(queries()), ids=lambda v: None if "(" in v else v)
def test_only_metrics_that_exist_are_asked_for(where, query):
    found = set(metrics_in(query))
    assert found and {word for word in found if not known(word)} == set(), where


def test_a_metric_that_does_not_exist_is_noticed():
    found = metrics_in('sum by (pod) (rate(pingpong_pongs_total{namespace="x"}[5m])) > 0')
    assert [word for word in found if not known(word)] == ["pingpong_pongs_total"]


def test_the_dashboard_shows_every_metric_of_ours():
    shown = {HISTOGRAM.sub("", word) for _, query in queries() for word in metrics_in(query)}
    assert METRICS - shown <= {"process_virtual_memory_bytes"}


def test_the_dashboard_is_well_formed():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        if panel["type"] != "row":
            assert panel["targets"] and panel["fieldConfig"]["defaults"]["unit"]
    taken = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in panels
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken)), "panels overlap"


def test_the_queries_of_the_dashboard_are_promql(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, (_, query) in enumerate(queries())
        if "{{args" not in query
    ]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", "rules.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_of_the_folder_is_the_one_rendered():
    path = MANIFESTS / "components/monitoring/dashboard.json"
    assert json.loads(path.read_text(encoding="utf-8")) == dashboard()
