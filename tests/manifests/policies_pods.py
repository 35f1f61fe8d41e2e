"""Policies about pods: each yields a sentence for everything that breaks it."""

import re

from rendering import Objects, containers, find, matches, labels_of, name_of, of_kind, strings, template, workloads

GENERATED = re.compile(r"-[a-z0-9]{10}$")
FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
# What the programs take at most to end what is in flight when they drain.
REQUEST_TIMEOUT_MS = 10_000
# Made in the cluster by the Job, not in git.
SECRET_KEYS = {"username", "password"}
CLUSTER_CONFIG = {"kube-root-ca.crt": {"ca.crt"}}
LEAST = {
    "postgres-secret": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}],
    "prometheus": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
}
# What serves nobody who would miss it: one pod is enough.
SINGLE = {"prometheus", "witness-ping", "witness-page"}
DAEMONS = {"pingpong": 3001, "reader": 3002, "witness": 3003}


def each_container(objects: Objects):
    for workload in workloads(objects):
        for container in containers(workload):
            yield workload, container, f"{name_of(workload)}, {container['name']}"


def restricted(objects: Objects):
    """Pod Security "restricted" and a root that cannot be written."""
    for workload in workloads(objects):
        context = template(workload)["spec"].get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{name_of(workload)}: runs as root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name_of(workload)}: no seccomp profile"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if template(workload)["spec"].get(key):
                yield f"{name_of(workload)}: {key}"
    for _, container, where in each_container(objects):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{where}: may gain privileges"
        if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
            yield f"{where}: keeps capabilities"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{where}: its root can be written"
        if context.get("privileged") or context.get("runAsUser") == 0:
            yield f"{where}: privileged"
    namespace = find(objects, "Namespace", "log-pong")
    labels = namespace["metadata"].get("labels", {}) if namespace else {}
    if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "Namespace log-pong: Pod Security is not enforced"


def resources(objects: Objects):
    for _, container, where in each_container(objects):
        for side in ("requests", "limits"):
            for what in ("cpu", "memory"):
                if what not in container.get("resources", {}).get(side, {}):
                    yield f"{where}: no {what} {side}"
    for workload in workloads(objects):
        for volume in template(workload)["spec"].get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{name_of(workload)}, volume {volume['name']}: no sizeLimit"


def images(objects: Objects, local: bool = False):
    for _, container, where in each_container(objects):
        reference, _, digest = container["image"].partition("@")
        mine = local and reference.startswith("log-pong/")
        if not mine and "." not in reference.partition("/")[0]:
            yield f"{where}: {reference} is short for what each runtime reads in its own way"
        tag = reference.rpartition(":")[2] if ":" in reference.rpartition("/")[2] else ""
        if reference != reference.lower():
            yield f"{where}: {reference} is no valid name"
        if not tag and not digest:
            yield f"{where}: {reference} has no tag"
        ours = "log-pong" in reference.rpartition("/")[2] or reference.startswith("log-pong/")
        if ours and not local and not FULL_COMMIT.fullmatch(tag):
            yield f"{where}: {reference} is not tagged by a full commit"
        if not ours and not re.match(r"v?[0-9]", tag):
            yield f"{where}: {reference} floats"
        if container.get("imagePullPolicy") != "IfNotPresent":
            yield f"{where}: imagePullPolicy"
    for cluster in of_kind(objects, "Cluster"):
        if not re.match(r"[0-9]+\.[0-9]+", cluster["spec"]["imageName"].rpartition(":")[2]):
            yield f"{name_of(cluster)}: {cluster['spec']['imageName']} floats"


def _probe_paths(container: dict):
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container.get(kind, {})
        if probe:
            yield kind, probe.get("httpGet", {}).get("path") or probe.get("exec", {}).get("command")


def probes(objects: Objects):
    """Readiness may ask for what the program needs, liveness never; no probe counts."""
    right = {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/healthz"}
    for workload in workloads(objects):
        if workload["kind"] in ("Job", "CronJob"):
            continue
        for container in containers(workload, init=False):
            where = f"{name_of(workload)}, {container['name']}"
            found = dict(_probe_paths(container))
            if "readinessProbe" not in found:
                yield f"{where}: no readinessProbe"
            if container["name"] in DAEMONS and found != right:
                yield f"{where}: probes {found}"
            if container["name"] == "writer" and found != {"readinessProbe": ["/writer", "--check"]}:
                yield f"{where}: probes {found}"
            if container["name"] == "postgres" and set(found) != set(right):
                yield f"{where}: probes {found}"
            yield from _patience(container, where)


def _patience(container: dict, where: str):
    liveness, startup = container.get("livenessProbe"), container.get("startupProbe")
    if liveness and liveness.get("periodSeconds", 10) * liveness.get("failureThreshold", 3) < 30:
        yield f"{where}: liveness gives up in less than 30 s"
    if liveness and not startup:
        yield f"{where}: liveness without a startupProbe"
    for kind in ("livenessProbe", "readinessProbe"):
        # /healthz answers within a second; less patience would fail good pods.
        if container.get(kind, {}).get("timeoutSeconds", 2) < 2:
            yield f"{where}: {kind} waits less than the answer may take"


def drain(objects: Objects):
    """The grace period is longer than the drain and what may be in flight after it."""
    for workload in workloads(objects):
        grace_ms = 1000 * template(workload)["spec"].get("terminationGracePeriodSeconds", 30)
        for container in containers(workload, init=False):
            if "lifecycle" in container:
                yield f"{name_of(workload)}, {container['name']}: the daemons drain by themselves"
            if container["name"] not in DAEMONS:
                continue
            values = settings(objects, container)
            if not values.get("DRAIN_MS"):
                yield f"{name_of(workload)}: DRAIN_MS is not said"
            elif grace_ms <= int(values["DRAIN_MS"]) + int(values.get("HTTP_REQUEST_TIMEOUT_MS", REQUEST_TIMEOUT_MS)):
                yield f"{name_of(workload)}: killed before it has drained"


def settings(objects: Objects, container: dict) -> dict:
    """What a container's environment says, its ConfigMaps included."""
    values: dict = {}
    for source in container.get("envFrom", []):
        found = find(objects, "ConfigMap", source.get("configMapRef", {}).get("name"))
        values |= found["data"] if found else {}
    return values | {item["name"]: item.get("value") for item in container.get("env", [])}


def _references(workload: dict):
    """(kind, name, key) of everything that the pods take from ConfigMaps and Secrets."""
    for container in containers(workload):
        for source in container.get("envFrom", []):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield kind, source[field]["name"], None
        for item in container.get("env", []):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = item.get("valueFrom", {}).get(field)
                if reference:
                    yield kind, reference["name"], reference["key"]
    for volume in template(workload)["spec"].get("volumes", []):
        sources = volume.get("projected", {}).get("sources", []) + [volume]
        for source in sources:
            for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                if field in source:
                    name = source[field].get("name") or source[field].get("secretName")
                    for item in source[field].get("items", [{"key": None}]):
                        yield kind, name, item["key"]


def made_secrets(objects: Objects) -> dict[str, set]:
    """Those that the Jobs make."""
    found = (settings(objects, container) for job in of_kind(objects, "Job") for container in containers(job))
    return {values["SECRET_NAME"]: SECRET_KEYS for values in found if "SECRET_NAME" in values}


def configuration(objects: Objects):
    """Every key that is used exists, and an edit of it starts new pods (see jobs for Jobs)."""
    made = made_secrets(objects)
    for item in of_kind(objects, "Cluster"):
        if item["spec"]["bootstrap"]["initdb"]["secret"]["name"] not in made:
            yield f"{name_of(item)}: nobody makes its Secret"
    known = {item["metadata"]["name"]: set(item.get("data", {})) for item in of_kind(objects, "ConfigMap")}
    used = set()
    for workload in workloads(objects):
        for kind, name, key in _references(workload):
            keys = ({**known, **CLUSTER_CONFIG} if kind == "ConfigMap" else made).get(name)
            used.add(name)
            if keys is None:
                yield f"{name_of(workload)}: no {kind} {name}"
            elif key is not None and key not in keys:
                yield f"{name_of(workload)}: {kind} {name} has no key {key}"
            lasting = name in CLUSTER_CONFIG or workload["kind"] == "Job"
            if kind == "ConfigMap" and not lasting and not GENERATED.search(name):
                yield f"{name_of(workload)}: an edit of ConfigMap {name} starts no new pods"
        for container in containers(workload):
            for mount in container.get("volumeMounts", []):
                if "subPath" in mount or "subPathExpr" in mount:
                    yield f"{name_of(workload)}, {container['name']}: subPath never sees an edit"
    for item in of_kind(objects, "ConfigMap"):
        name, labels = item["metadata"]["name"], item["metadata"].get("labels", {})
        if name not in used and "grafana_dashboard" not in labels:
            yield f"ConfigMap {name}: nobody uses it"


def concern(objects: Objects):
    """An edit starts only pods that read what was edited: who reads a ConfigMap reads all of it."""
    known = {item["metadata"]["name"]: set(item.get("data", {})) for item in of_kind(objects, "ConfigMap")}
    for workload in workloads(objects):
        read: dict[str, set] = {}
        for kind, name, key in _references(workload):
            if kind == "ConfigMap" and name in known and workload["kind"] not in ("Job", "CronJob"):
                read.setdefault(name, set()).update(known[name] if key is None else {key})
        for name, keys in read.items():
            for key in sorted(known[name] - keys):
                yield f"{name_of(workload)}: starts anew for {key} of ConfigMap {name}, which it does not read"


def jobs(objects: Objects):
    """A Job's template cannot be changed: another one has another name, and nothing edits it from afar."""
    for job in of_kind(objects, "Job"):
        if not GENERATED.search(job["metadata"]["name"]):
            yield f"{name_of(job)}: an edit of its template is refused while it is there"
        for kind, name, _ in _references(job):
            if kind == "ConfigMap" and GENERATED.search(name):
                yield f"{name_of(job)}: an edit of ConfigMap {name} changes its template"
        if not job["spec"].get("ttlSecondsAfterFinished"):
            yield f"{name_of(job)}: stays for ever"


def database_names(objects: Objects):
    """One role and one database, wherever they are named."""
    data = {key: value for item in of_kind(objects, "ConfigMap") for key, value in item.get("data", {}).items()}
    if not data.get("DB_USER") or not data.get("DB_NAME"):
        yield "DB_USER or DB_NAME is not said"
    if data.get("USERNAME", data.get("DB_USER")) != data.get("DB_USER"):
        yield f"the Secret is for {data['USERNAME']}, DB_USER is {data.get('DB_USER')}"
    for cluster in of_kind(objects, "Cluster"):
        made = cluster["spec"]["bootstrap"]["initdb"]
        if (made["owner"], made["database"]) != (data.get("DB_USER"), data.get("DB_NAME")):
            yield f"{name_of(cluster)}: makes {made['database']} of {made['owner']}"


def secrets(objects: Objects):
    """No password in git, none for the superuser, and the application is not the superuser."""
    for item in of_kind(objects, "Secret"):
        yield f"{name_of(item)}: a Secret in git"
    secret_name = re.compile(r"(?i)(password|passwd|token|secret)$")
    for _, container, where in each_container(objects):
        for item in container.get("env", []):
            # This one is the list of users, without passwords.
            if secret_name.search(item["name"]) and item.get("value") and item["name"] != "NSS_WRAPPER_PASSWD":
                yield f"{where}: {item['name']} has a value"
    for item in of_kind(objects, "ConfigMap"):
        for key, value in item.get("data", {}).items():
            if secret_name.search(key):
                yield f"{name_of(item)}: {key}"
            if key == "DB_USER" and value == "postgres":
                yield f"{name_of(item)}: the application connects as the superuser"
    for item in objects:
        for path, value in strings(item):
            if re.search(r"postgres(ql)?://[^:/\s]+:[^@\s]+@", value):
                yield f"{name_of(item)}{path}: a password in a URL"
    for cluster in of_kind(objects, "Cluster"):
        if cluster["spec"].get("enableSuperuserAccess") is not False:
            yield f"{name_of(cluster)}: the superuser can log in"


def tokens(objects: Objects):
    """Only who asks the API server for something has a token, and may do nothing but that."""
    for workload in workloads(objects):
        spec = template(workload)["spec"]
        wants = spec.get("serviceAccountName") == "prometheus"
        if spec.get("automountServiceAccountToken") is not wants:
            yield f"{name_of(workload)}: mounts a token"
        projected = [
            source
            for volume in spec.get("volumes", [])
            for source in volume.get("projected", {}).get("sources", [])
            if "serviceAccountToken" in source
        ]
        if projected and workload["kind"] != "Job":
            yield f"{name_of(workload)}: asks for a token"
        if spec.get("serviceAccountName") and not find(objects, "ServiceAccount", spec["serviceAccountName"]):
            yield f"{name_of(workload)}: no ServiceAccount {spec['serviceAccountName']}"
    for role in of_kind(objects, "Role"):
        if role["rules"] != LEAST.get(role["metadata"]["name"]):
            yield f"{name_of(role)}: more than it needs"
    for item in of_kind(objects, "ClusterRole", "ClusterRoleBinding"):
        yield f"{name_of(item)}: rights in the whole cluster"


def spread(objects: Objects):
    """Pods of one service prefer different machines, and a drain leaves some of them."""
    budgets = of_kind(objects, "PodDisruptionBudget")
    for workload in workloads(objects):
        spec = template(workload)["spec"]
        single = workload["metadata"]["name"] in SINGLE
        several = workload["kind"] in ("Deployment", "Rollout") and not single
        mine = [b for b in budgets if matches(b["spec"]["selector"], labels_of(workload))]
        if several and [b["spec"].get("maxUnavailable") for b in mine] != [1]:
            yield f"{name_of(workload)}: wants one budget with maxUnavailable 1"
        if not several and mine:
            yield f"{name_of(workload)}: a budget on a single pod blocks drains"
        constraints = spec.get("topologySpreadConstraints", [])
        if several and not any(
            matches(c.get("labelSelector"), labels_of(workload)) and c["topologyKey"] == "kubernetes.io/hostname" for c in constraints
        ):
            yield f"{name_of(workload)}: no topology spread"
        if several and workload["kind"] == "Deployment" and workload["spec"].get("replicas", 1) < 2:
            yield f"{name_of(workload)}: one pod cannot be replaced without a gap"


POLICIES = [restricted, resources, images, probes, drain, configuration, concern, jobs, database_names, secrets, tokens, spread]
