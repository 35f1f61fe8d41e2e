"""Policies about the canary and about Argo CD."""

import re

import yaml

from rendering import Objects, find, matches, labels_of, name_of, of_kind, strings, workloads

ARGUMENT = re.compile(r"\{\{\s*args\.([a-z-]+)\s*\}\}")
RANGE_FUNCTION = re.compile(r"\b(?:rate|increase)\(")
# What everyone saw while the canary ran, whoever answered; asked where there are witnesses.
WITNESS_METRICS = {"witness-errors", "witness-violations"}
WINDOW = re.compile(r"\[([0-9]+[smh])\]")


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def scrape_seconds(objects: Objects) -> int:
    """How often the Prometheus that is asked looks at the pods."""
    for item in of_kind(objects, "ConfigMap"):
        if "prometheus.yml" in item.get("data", {}):
            return seconds(yaml.safe_load(item["data"]["prometheus.yml"])["global"]["scrape_interval"])
    return 15


def canary_of(rollout: dict) -> dict:
    return rollout["spec"]["strategy"]["canary"]


def resolved(objects: Objects):
    """The AnalysisTemplates with the values of their arguments, as the Rollouts give them."""
    given = {
        a["name"]: a["value"]
        for item in of_kind(objects, "Rollout")
        for a in canary_of(item).get("analysis", {}).get("args", [])
        if "value" in a
    }
    for item in of_kind(objects, "AnalysisTemplate"):
        values = {a["name"]: a["value"] for a in item["spec"]["args"] if "value" in a} | given
        yield replaced(item, {"{{args.%s}}" % name: value for name, value in values.items()})


def replaced(value, values: dict[str, str]):
    if isinstance(value, str):
        for old, new in values.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {key: replaced(inner, values) for key, inner in value.items()}
    return [replaced(inner, values) for inner in value] if isinstance(value, list) else value


def templating(objects: Objects):
    """No placeholder of a tool that nobody runs: it would be taken literally."""
    for item in objects:
        rest = r"\{\{(?!args\.)" if item["kind"] == "AnalysisTemplate" else r"\{\{"
        if item["kind"] == "PrometheusRule":
            rest = r"\{\{(?! \$(labels|value)\b)"
        if item["metadata"].get("labels", {}).get("grafana_dashboard"):
            rest = r"\{\{(?![a-z]+\}\})"
        for path, value in strings(item):
            if re.search(rest, value):
                yield f"{name_of(item)}{path}: {value.strip()[:60]}"


def rollout(objects: Objects):
    for item in of_kind(objects, "Rollout"):
        spec, canary = item["spec"], canary_of(item)
        if spec.get("progressDeadlineAbort") is not True or not spec.get("progressDeadlineSeconds"):
            yield f"{name_of(item)}: a canary that never becomes ready hangs"
        for key in ("stableService", "canaryService", "trafficRouting"):
            if key in canary:
                yield f"{name_of(item)}: {key} without a router sends the canary nothing"
        if canary.get("maxUnavailable") != 0 or not canary.get("maxSurge"):
            yield f"{name_of(item)}: serves with fewer pods while it rolls"
        if any("pause" in step and not (step["pause"] or {}).get("duration") for step in canary["steps"]):
            yield f"{name_of(item)}: waits for a person"
        if item["metadata"]["name"] != "pingpong-rollout":
            yield f"{name_of(item)}: is called pingpong-rollout"
        scaler = _scaler(objects, item)
        pods = scaler["spec"]["minReplicas"] if scaler else spec.get("replicas")
        if not pods:
            yield f"{name_of(item)}: neither an autoscaler nor a number of pods"
            continue
        for weight in (step["setWeight"] for step in canary["steps"] if "setWeight" in step):
            if weight * pods % 100:
                yield f"{name_of(item)}: {weight} % of {pods} pods is no whole number"


def _scaler(objects: Objects, workload: dict) -> dict | None:
    for item in of_kind(objects, "HorizontalPodAutoscaler"):
        target = item["spec"]["scaleTargetRef"]
        if (target["apiVersion"], target["kind"], target["name"]) == (
            workload["apiVersion"],
            workload["kind"],
            workload["metadata"]["name"],
        ):
            return item
    return None


def autoscaler(objects: Objects):
    """What an autoscaler scales has no number of pods in git."""
    for item in of_kind(objects, "HorizontalPodAutoscaler"):
        if item["apiVersion"] != "autoscaling/v2":
            yield f"{name_of(item)}: {item['apiVersion']}"
        targets = [w for w in workloads(objects) if _scaler([item], w)]
        if len(targets) != 1:
            yield f"{name_of(item)}: scales nothing"
        for target in targets:
            if "replicas" in target["spec"]:
                yield f"{name_of(target)}: replicas in git fight the autoscaler"


def analysis_arguments(objects: Objects):
    """Each argument is given, and the cluster fills in those that only it knows."""
    wanted = {
        "namespace": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        "canary-hash": {"podTemplateHashValue": "Latest"},
        "stable-hash": {"podTemplateHashValue": "Stable"},
    }
    for item in of_kind(objects, "Rollout"):
        analysis = canary_of(item).get("analysis", {})
        given = {a["name"]: a for a in analysis.get("args", [])}
        names = [t["templateName"] for t in analysis.get("templates", [])]
        if names != ["cpu-usage-analysis"]:
            yield f"{name_of(item)}: analysis by {names}"
        for name, source in wanted.items():
            if given.get(name, {}).get("valueFrom") != source:
                yield f"{name_of(item)}: argument {name} is {given.get(name)}"
        for name in names:
            found = find(objects, "AnalysisTemplate", name)
            if not found:
                yield f"{name_of(item)}: no AnalysisTemplate {name}"
                continue
            declared = {a["name"] for a in found["spec"]["args"]}
            defaults = {a["name"] for a in found["spec"]["args"] if "value" in a}
            for missing in declared - defaults - set(given):
                yield f"{name_of(item)}: argument {missing} is not given"
            for _, text in strings(found["spec"]["metrics"]):
                for unknown in set(ARGUMENT.findall(text)) - declared:
                    yield f"{name_of(found)}: argument {unknown} is not declared"


def _asks_about_the_canary(where: str, query: str):
    if query.count("rate(") != query.count("rollouts_pod_template_hash="):
        yield f"{where}: asks about other pods than one version's"
    if "{{args.canary-hash}}" not in query:
        yield f"{where}: does not ask about the canary"


def analysis_queries(objects: Objects):
    """About the canary's own pods, inside its life, and failing when there is no answer."""
    for item in resolved(objects):
        metrics, scrape = {m["name"]: m for m in item["spec"]["metrics"]}, scrape_seconds(objects)
        witnesses = WITNESS_METRICS if find(objects, "Deployment", "witness-ping") else set()
        if set(metrics) != {"cpu-usage", "error-rate", "latency", "traffic-floor"} | witnesses:
            yield f"{name_of(item)}: metrics {sorted(metrics)}"
        for name, metric in metrics.items():
            where, query = f"{name_of(item)}, {name}", metric["provider"]["prometheus"]["query"]
            if len(RANGE_FUNCTION.findall(query)) != query.count('namespace="{{args.namespace}}"'):
                yield f"{where}: asks about other namespaces too"
            if name not in WITNESS_METRICS:
                yield from _asks_about_the_canary(where, query)
            if name == "cpu-usage" and "{{args.stable-hash}}" not in query:
                yield f"{where}: does not compare with the stable version"
            delay = seconds(metric.get("initialDelay", "0s"))
            for window in WINDOW.findall(query):
                if seconds(window) + 2 * scrape > delay:
                    yield f"{where}: [{window}] begins before the canary"
                if seconds(window) < 4 * scrape:
                    yield f"{where}: [{window}] may hold too few samples"
            if "failureCondition" in metric or "inconclusiveLimit" in metric:
                yield f"{where}: what is neither good nor bad would pause"
            if not metric.get("successCondition", "").startswith("len(result) == 1 && "):
                yield f"{where}: does not fail on an empty answer"
            if "count" in metric:
                yield f"{where}: ends before the rollout does"


def analysis_timing(objects: Objects):
    """A canary without data is gone before its first step ends."""
    for item in of_kind(objects, "Rollout"):
        canary = canary_of(item)
        steps, start = canary["steps"], canary["analysis"].get("startingStep", 0)
        if not (start >= 1 and "setWeight" in steps[start - 1] and "pause" in steps[start]):
            yield f"{name_of(item)}: the analysis does not begin with the first canary pod"
            continue
        pause = seconds(steps[start]["pause"]["duration"])
        for template in resolved(objects):
            for metric in template["spec"]["metrics"]:
                chances = 1 + max(metric.get("failureLimit", 0), metric.get("consecutiveErrorLimit", 4))
                needed = seconds(metric.get("initialDelay", "0s")) + chances * seconds(metric["interval"])
                if needed > pause:
                    yield f"{name_of(item)}: {metric['name']} needs {needed} s, the first step lasts {pause} s"


def monitors(objects: Objects):
    """A canary wants the label that its analysis asks for on the metrics."""
    for item in of_kind(objects, "PodMonitor"):
        scaled = [w for w in of_kind(objects, "Rollout") if matches(item["spec"]["selector"], labels_of(w))]
        if scaled and "rollouts-pod-template-hash" not in item["spec"].get("podTargetLabels", []):
            yield f"{name_of(item)}: metrics do not tell the versions apart"
        if item["spec"].get("jobLabel") != "app.kubernetes.io/name":
            yield f"{name_of(item)}: the queries ask for job by the pod's name"
        for endpoint in item["spec"]["podMetricsEndpoints"]:
            if endpoint.get("path") != "/metrics" or endpoint.get("interval") != f"{scrape_seconds(objects)}s":
                yield f"{name_of(item)}: scrapes otherwise than the analysis takes for granted"


def argocd(objects: Objects, argo: Objects):
    """The Application that syncs these objects: may it, and does it leave alone what it should."""
    project = find(argo, "AppProject", "log-pong")
    application = find(argo, "Application", "log-pong")
    if not project or not application:
        yield "no AppProject or no Application"
        return
    allowed = {(e["group"], e["kind"]) for e in project["spec"]["clusterResourceWhitelist"] + project["spec"]["namespaceResourceWhitelist"]}
    for group, kind in sorted({_group_kind(item) for item in objects} - allowed):
        yield f"AppProject: may not sync {group}/{kind}"
    spec = application["spec"]
    if spec["source"]["repoURL"] not in project["spec"]["sourceRepos"]:
        yield "Application: from a repository that the project does not allow"
    if spec["destination"] not in project["spec"]["destinations"]:
        yield "Application: to a place that the project does not allow"
    if "*" in str(project["spec"]["destinations"]) + str(sorted(allowed)):
        yield "AppProject: allows everything"
    automated = spec["syncPolicy"].get("automated", {})
    if not (automated.get("prune") and automated.get("selfHeal")):
        yield "Application: no prune or no self-heal"
    options = spec["syncPolicy"].get("syncOptions", [])
    if "PruneLast=true" not in options:
        yield "Application: a rollback's pods would miss their ConfigMap"
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        ignored = any(
            (i.get("group"), i["kind"]) == (target["apiVersion"].partition("/")[0], target["kind"])
            and i.get("name") in (None, target["name"])
            and "/spec/replicas" in i["jsonPointers"]
            for i in spec.get("ignoreDifferences", [])
        )
        if not ignored or "RespectIgnoreDifferences=true" not in options:
            yield "Application: fights the autoscaler"
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    if any(_wave(scaler) <= _wave(rollout) for scaler in scalers for rollout in of_kind(objects, "Rollout")):
        yield "HorizontalPodAutoscaler: made before its Rollout, the first sync fails"
    for item in of_kind(objects, "Ingress"):
        if any(_wave(other) >= _wave(item) for other in objects if other is not item):
            yield f"{name_of(item)}: what comes after it waits for its address"
    for item in of_kind(objects, "Namespace", "StatefulSet", "Cluster"):
        kept = item["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options", "")
        if kept != "Prune=false,Delete=false":
            yield f"{name_of(item)}: a prune takes the data"
    for item in of_kind(objects, "Job"):
        if "argocd.argoproj.io/hook" not in item["metadata"].get("annotations", {}):
            yield f"{name_of(item)}: out of sync once its TTL removes it"


def _wave(item: dict) -> int:
    return int(item["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))


def _group_kind(item: dict) -> tuple[str, str]:
    group, slash, _ = item["apiVersion"].partition("/")
    return (group if slash else "", item["kind"])


POLICIES = [templating, rollout, autoscaler, analysis_arguments, analysis_queries, analysis_timing, monitors]
