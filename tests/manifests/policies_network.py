"""Policies about what finds and reaches what."""

from rendering import Objects, containers, find, labels_of, matches, name_of, of_kind, template, workloads

NAMESPACE = "log-pong"
# Where what is known by name lives on: the names and ports of the original.
SERVICES = {"pingpong-svc": 3001, "log-output-svc": 3002}
ROUTES = {("/log-output", "log-output-svc"), ("/ping", "pingpong-svc"), ("/pingpong", "pingpong-svc")}
# How many workloads a selector of this name may find; any other, one. The witnesses are a component of their own.
SELECTED = {"witness": (0, 2)}
CLUSTER_WIDE = {"Namespace"}
CLUSTER_PODS = {"cnpg.io/cluster": "postgres"}


def settings(objects: Objects):
    """The names of Services inside settings are names of Services that are there."""
    made = {s["metadata"]["name"] for s in of_kind(objects, "Service")}
    for workload in workloads(objects):
        for container in containers(workload):
            values = {e["name"]: e.get("value", "") for e in container.get("env", [])}
            for who in ("PINGPONG", "TARGET"):
                service, url = values.get(f"{who}_SERVICE"), values.get(f"{who}_URL")
                if url and (not url.startswith(f"http://$({who}_SERVICE):") or service not in made):
                    yield f"{name_of(workload)}: asks {url}, {service}"


def selectors(objects: Objects):
    """Each selector selects pods that exist, each port is one that they listen on."""
    for workload in workloads(objects):
        selector = workload["spec"].get("selector")
        if selector and not matches(selector, labels_of(workload)):
            yield f"{name_of(workload)}: does not select its own pods"
    for item in of_kind(objects, "Service"):
        selected = [w for w in workloads(objects) if matches({"matchLabels": item["spec"].get("selector")}, labels_of(w))]
        primaries = [c for c in of_kind(objects, "Cluster") if matches({"matchLabels": item["spec"]["selector"]}, primary(c))]
        if len(selected) + len(primaries) != 1:
            yield f"{name_of(item)}: selects {len(selected)} workloads"
        for port in item["spec"]["ports"]:
            for workload in selected:
                if _container_port(workload, port["targetPort"]) != port["port"]:
                    yield f"{name_of(item)}: nothing listens on {port['targetPort']}"
    for item in of_kind(objects, "PodDisruptionBudget", "PodMonitor"):
        selected = [w for w in workloads(objects) if matches(item["spec"]["selector"], labels_of(w))]
        wanted = item["spec"]["selector"]["matchLabels"].get("app.kubernetes.io/name")
        least, most = SELECTED.get(wanted, (1, 1))
        if not least <= len(selected) <= most:
            yield f"{name_of(item)}: selects {len(selected)} workloads"
        for endpoint in item["spec"].get("podMetricsEndpoints", []):
            if selected and not all(_container_port(w, endpoint["port"]) for w in selected):
                yield f"{name_of(item)}: no port {endpoint['port']}"


def primary(cluster: dict) -> dict:
    """The labels of the instance that takes writes, as CloudNativePG gives them."""
    inherited = cluster["spec"].get("inheritedMetadata", {}).get("labels", {})
    return {**inherited, "cnpg.io/cluster": cluster["metadata"]["name"], "cnpg.io/instanceRole": "primary"}


def _container_port(workload: dict, wanted) -> int | None:
    for container in containers(workload, init=False):
        for port in container.get("ports", []):
            if wanted in (port.get("name"), port["containerPort"]):
                return port["containerPort"]
    return None


def services(objects: Objects):
    for name, port in SERVICES.items():
        service = find(objects, "Service", name)
        if not service or [p["port"] for p in service["spec"]["ports"]] != [port]:
            yield f"Service {name} with port {port} is missing"
        elif any("hash" in key for key in service["spec"]["selector"]):
            yield f"Service {name}: leaves a version out"
    if not of_kind(objects, "Cluster"):
        service = find(objects, "Service", "postgres-svc")
        if not service or service["spec"].get("clusterIP") != "None":
            yield "Service postgres-svc is missing or not headless"
        elif service["spec"].get("publishNotReadyAddresses") is not True:
            yield "Service postgres-svc: after a restart pings wait for the database's next probe"
    host = next((c["data"]["DB_HOST"] for c in of_kind(objects, "ConfigMap") if "DB_HOST" in c.get("data", {})), None)
    made = {s["metadata"]["name"] for s in of_kind(objects, "Service")}
    if host not in made:
        yield f"DB_HOST: nobody is {host}"


def routes(objects: Objects):
    """The three public paths, by one Ingress or one HTTPRoute, to ports that exist."""
    found = set()
    for item in of_kind(objects, "Ingress"):
        notes = [key for key in item["metadata"].get("annotations", {}) if not key.startswith("argocd.")]
        if notes or item["spec"].get("ingressClassName"):
            yield f"{name_of(item)}: is for one controller only"
        for rule in item["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                found.add((path["path"], service["name"]))
                yield from _backend(objects, item, service["name"], *service["port"].values())
    for item in of_kind(objects, "HTTPRoute"):
        for rule in item["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                found |= {(m["path"]["value"], backend["name"]) for m in rule["matches"]}
                yield from _backend(objects, item, backend["name"], backend["port"])
        for parent in item["spec"]["parentRefs"]:
            gateway = find(objects, "Gateway", parent["name"])
            if not gateway or parent["sectionName"] not in [listener["name"] for listener in gateway["spec"]["listeners"]]:
                yield f"{name_of(item)}: no Gateway {parent['name']}"
    if found != ROUTES:
        yield f"public paths: {sorted(found)}"
    if len(of_kind(objects, "Ingress", "HTTPRoute")) != 1:
        yield "wants either an Ingress or an HTTPRoute"


def _backend(objects: Objects, item: dict, name: str, port):
    service = find(objects, "Service", name)
    ports = [p for p in service["spec"]["ports"] if port in (p["name"], p["port"])] if service else []
    if not ports:
        yield f"{name_of(item)}: no port {port} of Service {name}"


def allows(objects: Objects, side: str, pod: dict, peer: dict, port) -> bool:
    """Whether the policies of one side let a pod exchange with a peer on a port.

    The peer is {"labels": ...} for a pod of the namespace, {"namespace": ...} for
    one elsewhere, {} for what is no pod."""
    chosen = [
        p["spec"] for p in of_kind(objects, "NetworkPolicy") if matches(p["spec"]["podSelector"], pod) and side in p["spec"]["policyTypes"]
    ]
    if not chosen:
        return True
    peers = {"Ingress": "from", "Egress": "to"}[side]
    for rule in (rule for spec in chosen for rule in spec.get(side.lower(), [])):
        if rule.get("ports") and port not in [p["port"] for p in rule["ports"]]:
            continue
        if peers not in rule or any(_is_peer(entry, peer) for entry in rule[peers]):
            return True
    return False


def _is_peer(entry: dict, peer: dict) -> bool:
    if "namespaceSelector" in entry:
        labels = {"kubernetes.io/metadata.name": peer.get("namespace", "")}
        return "namespace" in peer and matches(entry["namespaceSelector"], labels)
    if "podSelector" in entry:
        return "labels" in peer and matches(entry["podSelector"], peer["labels"])
    return False


def _flows(objects: Objects):
    """(from, to, number, name of the port, may it?) for every pair that matters."""
    app = {name: {"app.kubernetes.io/name": name} for name in ("pingpong", "log-output", "postgres", "postgres-secret")}
    pod = {name: {"labels": labels} for name, labels in app.items()}
    database = {"labels": CLUSTER_PODS} if of_kind(objects, "Cluster") else pod["postgres"]
    outside, dns = {}, {"namespace": "kube-system"}
    yield pod["log-output"], pod["pingpong"], 3001, "http", True
    yield pod["pingpong"], database, 5432, "postgres", True
    for client, public in (("pingpong", 3001), ("log-output", 3002)):
        yield pod[client], dns, 53, 53, True
        yield outside, pod[client], public, "http", True
        yield pod[client], outside, 443, 443, False
        yield pod[client], outside, 5432, 5432, False
    yield pod["log-output"], database, 5432, "postgres", False
    yield outside, database, 5432, "postgres", False
    yield {"namespace": "default"}, database, 5432, "postgres", False
    yield pod["pingpong"], pod["log-output"], 3002, "http", False
    yield {"labels": {"app": "stranger"}}, outside, 443, 443, False
    yield from _witness_flows(objects, pod, database, outside, dns)
    prometheus = find(objects, "Deployment", "prometheus")
    if prometheus:
        prometheus = {"labels": labels_of(prometheus)}
        yield {"namespace": "argo-rollouts"}, prometheus, 9090, "web", True
        yield prometheus, outside, 6443, 6443, True
        yield prometheus, outside, 80, 80, False
        yield prometheus, pod["postgres"], 5432, "postgres", False
        for target, port in (("pingpong", 3001), ("log-output", 3002)):
            labels = app[target] | {"app.kubernetes.io/part-of": "log-pong"}
            yield prometheus, {"labels": labels}, port, "http", True
    yield outside, {"labels": {"app": "stranger"}}, 80, "http", False
    if of_kind(objects, "Cluster"):
        yield database, database, 5432, 5432, True
        yield {"namespace": "cnpg-system"}, database, 8000, 8000, True
        yield database, outside, 6443, 6443, True
    else:
        yield database, outside, 443, 443, False
    yield pod["postgres-secret"], outside, 6443, 6443, True
    yield outside, pod["postgres-secret"], 80, 80, False


def _witness_flows(objects: Objects, pod: dict, database: dict, outside: dict, dns: dict):
    for name in ("witness-ping", "witness-page"):
        found = find(objects, "Deployment", name)
        if not found:
            continue
        witness = {"labels": labels_of(found)}
        yield witness, pod["pingpong"], 3001, "http", True
        yield witness, pod["log-output"], 3002, "http", True
        yield witness, dns, 53, 53, True
        yield outside, witness, 3003, "http", True
        yield witness, database, 5432, "postgres", False
        yield witness, outside, 443, 443, False


def network(objects: Objects):
    """Closed both ways by default, and exactly the needed ways are open."""
    for source, target, number, named, may in _flows(objects):
        out = "labels" not in source or any(allows(objects, "Egress", source["labels"], target, port) for port in (number, named))
        into = "labels" not in target or any(allows(objects, "Ingress", target["labels"], source, port) for port in (number, named))
        if (out and into) != may:
            yield f"{source} to {target}, port {number}: {'closed' if may else 'open'}"


def namespaces(objects: Objects):
    """Everything is in the one namespace, and that is there."""
    if not find(objects, "Namespace", NAMESPACE):
        yield f"Namespace {NAMESPACE} is missing"
    for item in objects:
        where = item["metadata"].get("namespace")
        if item["kind"] not in CLUSTER_WIDE and where != NAMESPACE:
            yield f"{name_of(item)}: in namespace {where}"
    for item in of_kind(objects, "RoleBinding"):
        for subject in item["subjects"]:
            if subject.get("namespace") != NAMESPACE:
                yield f"{name_of(item)}: a subject without the namespace"


def storage(objects: Objects):
    """The database's data outlives its pod and its StatefulSet."""
    for item in of_kind(objects, "StatefulSet"):
        kept = item["spec"].get("persistentVolumeClaimRetentionPolicy", {})
        if set(kept.values()) != {"Retain"} or len(kept) != 2:
            yield f"{name_of(item)}: deleting it deletes the data"
        claims = {c["metadata"]["name"] for c in item["spec"].get("volumeClaimTemplates", [])}
        directory = next((e["value"] for c in containers(item) for e in c["env"] if e["name"] == "PGDATA"), "")
        for container in containers(item):
            mounts = [m["mountPath"] for m in container["volumeMounts"] if m["name"] in claims]
            if not any(directory.startswith(path + "/") for path in mounts):
                yield f"{name_of(item)}, {container['name']}: PGDATA is on no volume"
        if template(item)["spec"]["securityContext"].get("fsGroup") is None:
            yield f"{name_of(item)}: cannot write its volume"
    for item in of_kind(objects, "Cluster"):
        synchronous = item["spec"]["postgresql"].get("synchronous", {})
        if item["spec"]["instances"] != 3 or synchronous.get("dataDurability") != "required":
            yield f"{name_of(item)}: a failover can lose pings"
    if len(of_kind(objects, "StatefulSet", "Cluster")) != 1:
        yield "wants exactly one database"


POLICIES = [settings, selectors, services, routes, network, namespaces, storage]
