"""The canary's verdicts: the queries of the AnalysisTemplate as they are in git, asked by
promtool, and their answers judged by Argo Rollouts' own code."""

import json
import subprocess

import pytest

from prometheus import run_rule_tests
from policies_delivery import resolved
from rendering import find, of_kind, overlay, parse, tool

ARGUMENTS = {"namespace": "log-pong", "canary-hash": "new", "stable-hash": "old"}
CPU, REQUESTS = "process_cpu_seconds_total", "http_requests_total"
DURATION = "http_request_duration_seconds"
SEEN, BROKEN = "witness_requests_total", "witness_violations_total"


def template():
    return find(list(resolved(parse(overlay("gitops")))), "AnalysisTemplate", "cpu-usage-analysis")


def metric(name):
    return next(m for m in template()["spec"]["metrics"] if m["name"] == name)


def query_of(name):
    text = metric(name)["provider"]["prometheus"]["query"]
    for argument, value in ARGUMENTS.items():
        text = text.replace("{{args.%s}}" % argument, value)
    assert "{{" not in text
    return text


def series(name, pod, version, **more):
    labels = {"namespace": "log-pong", "job": "pingpong", "pod": pod, "rollouts_pod_template_hash": version, **more}
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def cpu(pod, version, per_scrape, **more):
    return {series(CPU, pod, version, **more): f"5+{per_scrape}x20"}


def pings(pod, version, code, per_scrape, route="/ping", method="GET"):
    return {series(REQUESTS, pod, version, route=route, method=method, code=code): f"9+{per_scrape}x20"}


def took(pod, version, mean, per_scrape=15, route="/ping"):
    return {
        series(f"{DURATION}_count", pod, version, route=route): f"9+{per_scrape}x20",
        series(f"{DURATION}_sum", pod, version, route=route): f"9+{per_scrape * mean:.6f}x20",
    }


def seen(pod, per_scrape, result="ok", version="1.0.0", start=9, **more):
    labels = {"job": "witness", "result": result, "version": version, "commit": "abc", **more}
    return {of_witness(SEEN, pod, labels): f"{start}+{per_scrape}x20"}


def broken(pod, values, kind="repeated", **more):
    return {of_witness(BROKEN, pod, {"job": "witness", "kind": kind, **more}): values}


def of_witness(name, pod, labels):
    """What a canary does to its own pods, a witness has no label of."""
    text = ",".join(f'{key}="{value}"' for key, value in {"namespace": "log-pong", "pod": pod, **labels}.items())
    return name + "{" + text + "}"


# Per scrape of 15 s: 3 s of processor time are 0.2 processors.
STABLE = {**cpu("o1", "old", 3), **cpu("o2", "old", 1.5)}

# metric: name of the case -> (series, what the query answers, what Argo Rollouts makes of it)
CASES = {
    "cpu-usage": {
        "as much as stable": (STABLE | cpu("n1", "new", 3), "-0.1", "Successful"),
        "the spare half": (STABLE | cpu("n1", "new", 5.1), "0.04", "Successful"),
        "twice as much": (STABLE | cpu("n1", "new", 6), "0.1", "Failed"),
        "one busy pod of two": (STABLE | cpu("n1", "new", 1) | cpu("n2", "new", 15), "0.7", "Failed"),
        "both idle": (cpu("o1", "old", 0) | cpu("n1", "new", 0), "0", "Successful"),
        "no canary": (STABLE, "none", "Failed"),
        "no stable": (cpu("n1", "new", 3), "none", "Failed"),
        "nothing at all": ({}, "none", "Failed"),
        "another namespace": (STABLE | cpu("n1", "new", 3, namespace="other"), "none", "Failed"),
        "the database is busy": (STABLE | cpu("n1", "new", 3) | cpu("d", "", 15, job="postgres"), "-0.1", "Successful"),
        "one sample only": (STABLE | {series(CPU, "n1", "new"): "_x5 5"}, "none", "Failed"),
    },
    "error-rate": {
        "no error": (pings("n1", "new", "200", 150), "0", "Successful"),
        "one in two hundred": (pings("n1", "new", "200", 199) | pings("n1", "new", "503", 1), "0.005", "Successful"),
        "one in ten": (pings("n1", "new", "200", 135) | pings("n1", "new", "503", 15), "0.1", "Failed"),
        "errors only": (pings("n1", "new", "500", 15), "1", "Failed"),
        "errors on the other path": (pings("n1", "new", "200", 15) | pings("n1", "new", "503", 15, "/pingpong", "POST"), "0.5", "Failed"),
        "errors for batches of views": (pings("n1", "new", "200", 15) | pings("n1", "new", "503", 15, "/pings", "POST"), "0.5", "Failed"),
        "stable fails, the canary does not": (pings("n1", "new", "200", 15) | pings("o1", "old", "503", 15), "0", "Successful"),
        "strangers' mistakes": (
            pings("n1", "new", "200", 15) | pings("n1", "new", "404", 15, "other") | pings("n1", "new", "405", 15, method="other"),
            "0",
            "Successful",
        ),
        "no request": (pings("n1", "new", "200", 0), "NaN", "Failed"),
        "probes only": (pings("n1", "new", "200", 15, "/healthz"), "none", "Failed"),
        "nothing at all": ({}, "none", "Failed"),
    },
    "latency": {
        "as fast": (took("o1", "old", 0.002) | took("n1", "new", 0.002), "-0.002", "Successful"),
        "a little slower": (took("o1", "old", 0.002) | took("n1", "new", 0.05), "0.046", "Successful"),
        "a tenth of a second more": (took("o1", "old", 0.002) | took("n1", "new", 0.102), "0.098", "Failed"),
        "a slow database for both": (took("o1", "old", 0.3) | took("n1", "new", 0.4), "-0.2", "Successful"),
        "slow batches of views": (
            took("o1", "old", 0.002) | took("n1", "new", 0.002) | took("n1", "new", 0.5, 15, "/pings"),
            "0.247",
            "Failed",
        ),
        "slow probes": (
            took("o1", "old", 0.002) | took("n1", "new", 0.002) | took("n1", "new", 0.5, 15, "/healthz"),
            "-0.002",
            "Successful",
        ),
        "no request": (took("o1", "old", 0.002) | took("n1", "new", 0, 0), "NaN", "Failed"),
        "no stable": (took("n1", "new", 0.002), "none", "Failed"),
        "nothing at all": ({}, "none", "Failed"),
    },
    "traffic-floor": {
        "enough": (pings("n1", "new", "200", 15), "1", "Successful"),
        "two pods together": (pings("n1", "new", "200", 0.9) | pings("n2", "new", "200", 0.9), "0.12", "Successful"),
        "too little": (pings("n1", "new", "200", 1), "0.0667", "Failed"),
        "the stable version's": (pings("o1", "old", "200", 150), "none", "Failed"),
        "probes only": (pings("n1", "new", "200", 15, "/healthz"), "none", "Failed"),
        "nothing at all": ({}, "none", "Failed"),
    },
    "witness-errors": {
        "no error": (seen("ping", 150) | seen("page", 75), "0", "Successful"),
        "a canary of a fifth that fails in one of fifty": (
            seen("ping", 149.4) | seen("ping", 0.6, "not_counted", "2.0.0"),
            "0.004",
            "Successful",
        ),
        "a canary of a fifth that fails in one of ten": (seen("ping", 147) | seen("ping", 3, "not_counted", "2.0.0"), "0.02", "Failed"),
        "what only the page's viewers see": (
            seen("ping", 150) | seen("page", 65) | seen("page", 10, "may_be_counted", "none"),
            "0.0444",
            "Failed",
        ),
        "no connection": (seen("ping", 0) | seen("ping", 150, "not_sent", "none"), "1", "Failed"),
        "one witness is away": (seen("page", 75), "0", "Successful"),
        "another namespace's": (seen("ping", 150) | seen("ping", 150, "not_sent", namespace="other"), "0", "Successful"),
        "they do not ask": (seen("ping", 0), "NaN", "Failed"),
        "nothing at all": ({}, "none", "Failed"),
    },
    "witness-violations": {
        "none": (seen("ping", 150) | broken("ping", "0x20") | broken("page", "0x20"), "0", "Successful"),
        "long ago": (broken("ping", "3x20"), "0", "Successful"),
        "a number twice": (broken("ping", "0x4 1x20"), "1", "Failed"),
        "a number back": (broken("ping", "0x20") | broken("page", "0x4 1x20", "backwards"), "1", "Failed"),
        "another namespace's": (broken("ping", "0x20") | broken("ping", "0x4 1x20", namespace="other"), "0", "Successful"),
        # witness-errors fails on silence.
        "nothing at all": ({}, "0", "Successful"),
    },
}
FLAT = [(name, case) for name, cases in CASES.items() for case in cases]


def expectation(answer):
    """One promtool question that only this answer satisfies."""
    if answer == "none":
        return {"expr": "answer", "exp_samples": []}
    if answer == "NaN":
        return {"expr": "count(answer != answer)", "exp_samples": [{"labels": "{}", "value": 1}]}
    return {"expr": "round(answer, 0.0001) + 0", "exp_samples": [{"labels": "{}", "value": float(answer)}]}


def first_look():
    """How old a canary is when it is first asked about."""
    return metric("error-rate")["initialDelay"]


def complaint(folder, name, given, answer):
    rule = {"record": "answer", "expr": query_of(name)}
    test = {
        "interval": "15s",
        "input_series": [{"series": key, "values": values} for key, values in given.items()],
        "promql_expr_test": [{**expectation(answer), "eval_time": first_look()}],
    }
    return run_rule_tests(folder, [{"name": "analysis", "rules": [rule]}], [test])


def verdicts(questions):
    done = subprocess.run([tool("evaluate")], input=json.dumps(questions), text=True, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name, case", FLAT, ids=[f"{n}: {c}" for n, c in FLAT])
def test_the_query_answers(tmp_path, name, case):
    given, answer, _ = CASES[name][case]
    assert complaint(tmp_path, name, given, answer) == ""


def test_a_wrong_expectation_is_noticed(tmp_path):
    given, _, _ = CASES["error-rate"]["one in ten"]
    for wrong in ("none", "NaN", "0.2"):
        assert complaint(tmp_path, "error-rate", given, wrong) != ""


def test_argo_rollouts_judges_the_answers():
    questions, wanted = [], []
    for name, case in FLAT:
        _, answer, phase = CASES[name][case]
        questions.append({"condition": metric(name)["successCondition"], "samples": [] if answer == "none" else [answer]})
        wanted.append(phase)
    assert verdicts(questions) == wanted


def test_argo_rollouts_fails_what_is_no_single_number():
    for samples in ([], ["NaN"], ["0", "0"], ["NaN", "NaN"]):
        questions = [{"condition": m["successCondition"], "samples": samples} for m in template()["spec"]["metrics"]]
        assert verdicts(questions) == ["Failed"] * len(CASES), samples
    assert verdicts([{"condition": metric("traffic-floor")["successCondition"], "samples": ["-Inf"]}]) == ["Failed"]


def test_each_metric_has_cases():
    assert {m["name"] for m in template()["spec"]["metrics"]} == set(CASES)
    assert len(of_kind(parse(overlay("gitops")), "AnalysisTemplate")) == 1
