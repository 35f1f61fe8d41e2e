"""Ways to break the manifests, the original's defects among them; each names the policy that notices."""

import policies_delivery as delivery
import policies_network as network
import policies_pods as pods
from rendering import find, of_kind

ALL = []


def breaks(policy, overlay="gitops"):
    def register(function):
        function.policy, function.overlay = policy, overlay
        ALL.append(function)
        return function

    return register


def spec_of(objects, kind, name):
    return find(objects, kind, name)["spec"]


def pod(objects, kind="Rollout", name="pingpong-rollout"):
    return spec_of(objects, kind, name)["template"]["spec"]


def container(objects, kind="Rollout", name="pingpong-rollout", index=0):
    return pod(objects, kind, name)["containers"][index]


def reader(objects):
    return container(objects, "Deployment", "log-output")


def metric(objects, name="cpu-usage"):
    metrics = spec_of(objects, "AnalysisTemplate", "cpu-usage-analysis")["metrics"]
    return next(m for m in metrics if m["name"] == name)


def prometheus(objects, name="cpu-usage"):
    return metric(objects, name)["provider"]["prometheus"]


def canary(objects):
    return spec_of(objects, "Rollout", "pingpong-rollout")["strategy"]["canary"]


def argument(objects, name):
    return next(a for a in canary(objects)["analysis"]["args"] if a["name"] == name)


# The original's defects.


@breaks(delivery.templating)
def a_placeholder_of_another_tool(objects):
    argument(objects, "namespace").clear()
    canary(objects)["analysis"]["args"][0].update(name="namespace", value="{{.Release.Namespace}}")


@breaks(delivery.analysis_arguments)
def a_namespace_written_down(objects):
    argument(objects, "namespace").pop("valueFrom")
    argument(objects, "namespace")["value"] = "{{.Release.Namespace}}"


@breaks(delivery.analysis_queries)
def the_processors_of_the_whole_namespace(objects):
    prometheus(objects)["query"] = 'sum(rate(container_cpu_usage_seconds_total{namespace="{{args.namespace}}"}[1m]))'


@breaks(delivery.analysis_queries)
def no_comparison_with_the_stable_version(objects):
    query = prometheus(objects)
    query["query"] = query["query"].replace("{{args.stable-hash}}", "{{args.canary-hash}}")


@breaks(delivery.analysis_queries)
def a_window_from_before_the_canary(objects):
    query = prometheus(objects)
    query["query"] = query["query"].replace("[{{args.window}}]", "[5m]")


@breaks(delivery.analysis_queries)
def a_first_look_too_early(objects):
    del metric(objects)["initialDelay"]


@breaks(delivery.analysis_queries)
def nothing_found_is_good(objects):
    metric(objects, "error-rate")["successCondition"] = "len(result) == 0 || result[0] <= 0.01"


@breaks(delivery.analysis_queries)
def neither_good_nor_bad(objects):
    metric(objects)["failureCondition"] = "result[0] > 0.5"


@breaks(delivery.analysis_queries)
def no_traffic_floor(objects):
    spec_of(objects, "AnalysisTemplate", "cpu-usage-analysis")["metrics"].remove(metric(objects, "traffic-floor"))


@breaks(delivery.analysis_queries)
def witnesses_that_nobody_asks(objects):
    metrics = spec_of(objects, "AnalysisTemplate", "cpu-usage-analysis")["metrics"]
    metrics[:] = [m for m in metrics if not m["name"].startswith("witness-")]


@breaks(delivery.analysis_queries)
def witnesses_of_every_namespace(objects):
    query = prometheus(objects, "witness-violations")
    query["query"] = query["query"].replace('namespace="{{args.namespace}}",', "")


@breaks(delivery.rollout)
def one_pod_and_a_fifth(objects):
    of_kind(objects, "HorizontalPodAutoscaler")[0]["spec"]["minReplicas"] = 1


@breaks(delivery.rollout)
def a_canary_that_hangs(objects):
    del spec_of(objects, "Rollout", "pingpong-rollout")["progressDeadlineAbort"]


@breaks(delivery.rollout)
def a_stable_service_without_a_router(objects):
    canary(objects)["stableService"] = "pingpong-svc"


@breaks(delivery.rollout)
def a_pause_without_end(objects):
    canary(objects)["steps"][1]["pause"] = {}


@breaks(delivery.autoscaler)
def replicas_beside_the_autoscaler(objects):
    spec_of(objects, "Rollout", "pingpong-rollout")["replicas"] = 1


@breaks(delivery.autoscaler)
def an_autoscaler_of_nothing(objects):
    of_kind(objects, "HorizontalPodAutoscaler")[0]["spec"]["scaleTargetRef"]["kind"] = "Deployment"


@breaks(delivery.argocd)
def argocd_resets_the_replicas(objects, argo):
    del spec_of(argo, "Application", "log-pong")["ignoreDifferences"]


@breaks(delivery.argocd)
def argocd_ignores_only_when_comparing(objects, argo):
    spec_of(argo, "Application", "log-pong")["syncPolicy"]["syncOptions"].remove("RespectIgnoreDifferences=true")


@breaks(delivery.argocd)
def old_configuration_pruned_first(objects, argo):
    spec_of(argo, "Application", "log-pong")["syncPolicy"]["syncOptions"].remove("PruneLast=true")


@breaks(delivery.argocd)
def no_application(objects, argo):
    argo[:] = of_kind(argo, "AppProject")


@breaks(delivery.argocd)
def a_kind_that_the_project_forbids(objects, argo):
    spec_of(argo, "AppProject", "log-pong")["namespaceResourceWhitelist"].pop()


@breaks(delivery.argocd)
def an_autoscaler_before_its_rollout(objects, argo):
    del of_kind(objects, "HorizontalPodAutoscaler")[0]["metadata"]["annotations"]


@breaks(delivery.argocd)
def an_ingress_that_holds_others_up(objects, argo):
    find(objects, "Service", "pingpong-svc")["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "3"}


@breaks(delivery.argocd)
def data_that_a_prune_takes(objects, argo):
    del find(objects, "Namespace", "log-pong")["metadata"]["annotations"]


@breaks(pods.configuration)
def a_mount_by_subpath(objects):
    reader(objects)["volumeMounts"][1]["subPath"] = "information.txt"


@breaks(pods.configuration)
def a_configuration_under_a_lasting_name(objects):
    old = container(objects)["envFrom"][0]["configMapRef"]["name"]
    for item in of_kind(objects, "ConfigMap"):
        if item["metadata"]["name"] == old:
            item["metadata"]["name"] = "pingpong-config"
    container(objects)["envFrom"][0]["configMapRef"]["name"] = "pingpong-config"


@breaks(pods.configuration)
def a_generated_name_that_did_not_arrive(objects):
    container(objects)["envFrom"][0]["configMapRef"]["name"] = "pingpong-config"


@breaks(pods.concern)
def a_database_that_restarts_for_a_setting_of_pingpong(objects):
    for item in of_kind(objects, "ConfigMap"):
        if "DB_USER" in item["data"]:
            item["data"]["LOG_LEVEL"] = "debug"


def the_job(objects):
    (job,) = of_kind(objects, "Job")
    return job


@breaks(pods.jobs)
def a_job_that_blocks_its_own_edit(objects):
    the_job(objects)["metadata"]["name"] = "postgres-secret"


@breaks(pods.jobs)
def a_job_that_an_edited_script_blocks(objects):
    volume = the_job(objects)["spec"]["template"]["spec"]["volumes"][0]
    volume["configMap"]["name"] += "-g7k95thf2m"


@breaks(pods.database_names)
def a_secret_of_another_role(objects):
    find(objects, "ConfigMap", "postgres-secret-scripts")["data"]["USERNAME"] = "pong"


@breaks(pods.database_names, overlay="production")
def a_cluster_with_another_database(objects):
    spec_of(objects, "Cluster", "postgres")["bootstrap"]["initdb"]["database"] = "app"


@breaks(pods.configuration, overlay="production")
def a_cluster_with_a_secret_of_the_operators(objects):
    spec_of(objects, "Cluster", "postgres")["bootstrap"]["initdb"]["secret"]["name"] = "postgres-superuser"


@breaks(pods.configuration)
def a_key_that_does_not_exist(objects):
    message = next(item for item in reader(objects)["env"] if item["name"] == "MESSAGE")
    message["valueFrom"]["configMapKeyRef"]["key"] = "GREETING"


@breaks(pods.secrets)
def a_password_in_git(objects):
    objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "postgres-app"}})


@breaks(pods.secrets)
def a_password_in_the_environment(objects):
    container(objects)["env"].append({"name": "DB_PASSWORD", "value": "postgres"})


@breaks(pods.secrets)
def the_application_as_superuser(objects):
    for item in of_kind(objects, "ConfigMap"):
        if "DB_USER" in item["data"]:
            item["data"]["DB_USER"] = "postgres"


@breaks(pods.secrets, overlay="production")
def a_superuser_of_the_cluster(objects):
    spec_of(objects, "Cluster", "postgres")["enableSuperuserAccess"] = True


@breaks(pods.probes)
def liveness_asks_the_database(objects):
    container(objects)["livenessProbe"]["httpGet"]["path"] = "/healthz"


@breaks(pods.probes)
def a_probe_that_counts(objects):
    reader(objects)["readinessProbe"]["httpGet"]["path"] = "/log-output"


@breaks(pods.probes)
def no_readiness(objects):
    del container(objects, "Deployment", "log-output", 1)["readinessProbe"]


@breaks(pods.probes)
def impatient_liveness(objects):
    container(objects)["livenessProbe"]["failureThreshold"] = 1


@breaks(pods.drain)
def killed_while_draining(objects):
    pod(objects)["terminationGracePeriodSeconds"] = 10


@breaks(pods.drain)
def a_drain_that_nobody_set(objects):
    for item in of_kind(objects, "ConfigMap"):
        item["data"].pop("DRAIN_MS", None)


@breaks(pods.drain)
def a_second_drain(objects):
    container(objects)["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}


# What else the policies are for.


@breaks(pods.images)
def a_floating_tag(objects):
    container(objects)["image"] = "ghcr.io/owner/log-pong-pingpong:latest"


@breaks(pods.images)
def a_short_name(objects):
    container(objects, "StatefulSet", "postgres")["image"] = "postgres:17"


@breaks(pods.images)
def a_floating_database(objects):
    container(objects, "StatefulSet", "postgres")["image"] = "postgres"


@breaks(pods.images, overlay="production")
def a_floating_cluster(objects):
    spec_of(objects, "Cluster", "postgres")["imageName"] = "ghcr.io/cloudnative-pg/postgresql:17"


@breaks(pods.restricted)
def a_root_user(objects):
    pod(objects)["securityContext"]["runAsUser"] = 0


@breaks(pods.restricted)
def kept_capabilities(objects):
    del reader(objects)["securityContext"]["capabilities"]


@breaks(pods.restricted)
def a_namespace_without_pod_security(objects):
    find(objects, "Namespace", "log-pong")["metadata"]["labels"].clear()


@breaks(pods.resources)
def no_memory_limit(objects):
    del container(objects)["resources"]["limits"]["memory"]


@breaks(pods.resources)
def a_shared_folder_without_bound(objects):
    pod(objects, "Deployment", "log-output")["volumes"][0]["emptyDir"].clear()


@breaks(pods.tokens)
def a_mounted_token(objects):
    del pod(objects)["automountServiceAccountToken"]


@breaks(pods.tokens)
def a_job_that_reads_secrets(objects):
    find(objects, "Role", "postgres-secret")["rules"][0]["verbs"].append("get")


@breaks(pods.spread)
def no_disruption_budget(objects):
    objects.remove(find(objects, "PodDisruptionBudget", "pingpong"))


@breaks(pods.spread)
def a_budget_that_blocks_drains(objects):
    budget = spec_of(objects, "PodDisruptionBudget", "pingpong")
    budget["selector"]["matchLabels"]["app.kubernetes.io/name"] = "postgres"


@breaks(network.settings)
def a_service_name_inside_a_setting(objects):
    for entry in reader(objects)["env"]:
        if entry["name"] == "PINGPONG_URL":
            entry["value"] = "http://pingpong-svc:3001/ping"


@breaks(network.settings)
def a_renamed_service(objects):
    find(objects, "Service", "pingpong-svc")["metadata"]["name"] = "two-pingpong-svc"


@breaks(network.selectors)
def a_service_of_nobody(objects):
    spec_of(objects, "Service", "pingpong-svc")["selector"]["app.kubernetes.io/name"] = "pong"


@breaks(network.selectors)
def a_port_where_nothing_listens(objects):
    spec_of(objects, "Service", "log-output-svc")["ports"][0]["targetPort"] = "web"


@breaks(network.services)
def a_service_of_one_version_only(objects):
    spec_of(objects, "Service", "pingpong-svc")["selector"]["rollouts-pod-template-hash"] = "abc"


@breaks(network.services, overlay="local")
def a_database_found_only_after_a_probe(objects):
    del spec_of(objects, "Service", "postgres-svc")["publishNotReadyAddresses"]


@breaks(network.selectors, overlay="production")
def a_primary_of_another_cluster(objects):
    spec_of(objects, "Service", "postgres-primary-svc")["selector"]["cnpg.io/cluster"] = "postgres-2"


@breaks(network.services, overlay="production")
def a_database_host_of_nobody(objects):
    for item in of_kind(objects, "ConfigMap"):
        if "DB_HOST" in item["data"]:
            item["data"]["DB_HOST"] = "postgres-svc"


@breaks(network.routes)
def an_ingress_for_one_controller(objects):
    find(objects, "Ingress", "log-pong")["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/rewrite-target": "/"}


@breaks(network.routes)
def a_route_to_a_port_that_does_not_exist(objects):
    rule = spec_of(objects, "Ingress", "log-pong")["rules"][0]
    rule["http"]["paths"][0]["backend"]["service"]["port"] = {"number": 80}


@breaks(network.network)
def open_by_default(objects):
    objects.remove(find(objects, "NetworkPolicy", "default-deny"))


@breaks(network.network)
def a_way_that_is_closed(objects):
    objects.remove(find(objects, "NetworkPolicy", "dns"))


@breaks(network.network)
def a_database_for_everyone(objects):
    del spec_of(objects, "NetworkPolicy", "postgres")["ingress"][0]["from"]


@breaks(network.network)
def a_witness_that_may_not_ask(objects):
    spec_of(objects, "NetworkPolicy", "witness")["egress"].pop(0)


@breaks(network.network)
def a_witness_that_reaches_anything(objects):
    del spec_of(objects, "NetworkPolicy", "witness")["egress"][0]["to"]
    spec_of(objects, "NetworkPolicy", "witness")["egress"][0]["ports"][0]["port"] = 5432


@breaks(network.network, overlay="production")
def a_cluster_without_its_operator(objects):
    del spec_of(objects, "NetworkPolicy", "postgres-cluster")["ingress"][1]


@breaks(network.namespaces)
def an_object_elsewhere(objects):
    find(objects, "Service", "pingpong-svc")["metadata"]["namespace"] = "default"


@breaks(network.storage)
def data_on_no_volume(objects):
    del spec_of(objects, "StatefulSet", "postgres")["volumeClaimTemplates"]


@breaks(network.storage)
def data_that_goes_with_the_statefulset(objects):
    del spec_of(objects, "StatefulSet", "postgres")["persistentVolumeClaimRetentionPolicy"]


@breaks(network.storage, overlay="production")
def a_failover_that_loses_pings(objects):
    del spec_of(objects, "Cluster", "postgres")["postgresql"]["synchronous"]


@breaks(delivery.analysis_timing)
def a_step_shorter_than_the_verdict(objects):
    canary(objects)["steps"][1]["pause"]["duration"] = "60s"


@breaks(delivery.monitors)
def metrics_that_do_not_tell_versions_apart(objects):
    del spec_of(objects, "PodMonitor", "pingpong")["podTargetLabels"]


# The demonstration's own Prometheus and pace.


@breaks(delivery.analysis_queries, overlay="demo")
def too_few_samples_in_a_short_window(objects):
    argument(objects, "window")["value"] = "10s"


@breaks(delivery.analysis_queries, overlay="demo")
def a_prometheus_slower_than_its_questions(objects):
    config = next(c["data"] for c in of_kind(objects, "ConfigMap") if "prometheus.yml" in c["data"])
    config["prometheus.yml"] = config["prometheus.yml"].replace("scrape_interval: 5s", "scrape_interval: 15s")


@breaks(delivery.rollout, overlay="demo")
def a_fifth_of_no_number_of_pods(objects):
    del spec_of(objects, "Rollout", "pingpong-rollout")["replicas"]


@breaks(pods.tokens, overlay="demo")
def a_prometheus_that_reads_secrets(objects):
    find(objects, "Role", "prometheus")["rules"][0]["resources"].append("secrets")


@breaks(network.network, overlay="demo")
def a_prometheus_that_no_one_may_ask(objects):
    spec_of(objects, "NetworkPolicy", "prometheus")["ingress"].clear()
