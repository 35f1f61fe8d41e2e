"""When each alert fires, and when it does not."""

NS = 'namespace="log-pong"'
PING = f'http_requests_total{{{NS},job="pingpong",pod="p1",route="/ping",method="GET"'
POD = {"namespace": "log-pong", "pod": "p1"}


def up(job, value):
    return {f'up{{{NS},job="{job}",pod="p1"}}': value}


def of_pod(metric, value, labels="", pod="p1"):
    return {f'{metric}{{{NS},pod="{pod}"{labels}}}': value}


def latency(fast, slow):
    """Requests per scrape that took up to 0.25 s, and those that took up to 1 s."""
    head = f'http_request_duration_seconds_bucket{{{NS},job="pingpong",pod="p1",route="/ping"'
    return {f'{head},le="0.25"}}': f"0+{fast}x80", f'{head},le="1"}}': f"0+{fast + slow}x80", f'{head},le="+Inf"}}': f"0+{fast + slow}x80"}


def upstream(ok, lost):
    name = f'log_output_upstream_requests_total{{{NS},pod="r1"'
    return {f'{name},result="ok"}}': f"0+{ok}x80", f'{name},result="timed_out"}}': f"0+{lost}x80"}


def case(alert, name, series, at, **more):
    return {"alert": alert, "name": name, "series": series, "at": at, **more}


CASES = [
    case("PingpongAbsent", "nobody answers", up("pingpong", "0x20"), "3m", fires={}),
    case("PingpongAbsent", "nobody is known", {}, "3m", fires={}),
    case("PingpongAbsent", "one answers", up("pingpong", "1x20"), "3m"),
    case("PingpongAbsent", "a moment only", up("pingpong", "1x10 0x4 1x10"), "3m15s"),
    case(
        "PingpongDatabaseDown",
        "no pod reaches it",
        of_pod("pingpong_database_up", "0x20") | of_pod("pingpong_database_up", "0x20", pod="p2"),
        "2m",
        fires={"namespace": "log-pong"},
    ),
    case(
        "PingpongDatabaseDown",
        "one pod reaches it",
        of_pod("pingpong_database_up", "0x20") | of_pod("pingpong_database_up", "1x20", pod="p2"),
        "2m",
    ),
    case(
        "PingpongHistoryLost",
        "a database that went back",
        of_pod("pingpong_history_lost_total", "0x8 1x20"),
        "4m",
        fires=POD,
        says={"summary": "p1 has found that the database forgot numbers"},
    ),
    case("PingpongHistoryLost", "long ago", of_pod("pingpong_history_lost_total", "1x80"), "18m"),
    case(
        "PingpongDatabaseUnreachable",
        "one pod does not reach it",
        of_pod("pingpong_database_up", "0x40") | of_pod("pingpong_database_up", "1x40", pod="p2"),
        "6m",
        fires=POD,
        says={"summary": "p1 does not reach the database"},
    ),
    case("PingpongDatabaseUnreachable", "a restart", of_pod("pingpong_database_up", "1x8 0x8 1x40"), "6m"),
    case(
        "PingpongErrors",
        "one in ten",
        {PING + ',code="200"}': "0+90x80", PING + ',code="503"}': "0+10x80"},
        "12m",
        fires={"namespace": "log-pong"},
        says={"summary": "10% of the pings fail"},
    ),
    case("PingpongErrors", "one in a thousand", {PING + ',code="200"}': "0+999x80", PING + ',code="503"}': "0+1x80"}, "12m"),
    case("PingpongErrors", "nobody asks", {PING + ',code="200"}': "7x80"}, "12m"),
    case(
        "PingpongSlow",
        "two in a hundred are slow",
        latency(98, 2),
        "18m",
        fires={"namespace": "log-pong"},
        says={"summary": "One ping in a hundred takes longer than 625ms"},
    ),
    case("PingpongSlow", "all are fast", latency(100, 0), "18m"),
    case(
        "PingpongQueueFull",
        "pings turned away",
        of_pod("pingpong_pings_failed_total", "0+5x20", ',reason="queue_full"'),
        "4m",
        fires=POD,
        says={"summary": "p1 turns pings away"},
    ),
    case(
        "PingpongQueueFull",
        "timeouts only",
        of_pod("pingpong_pings_failed_total", "0+5x20", ',reason="timeout"')
        | of_pod("pingpong_pings_failed_total", "3x20", ',reason="queue_full"'),
        "4m",
    ),
    case(
        "PingpongOutcomeUnknown",
        "some unknown",
        of_pod("pingpong_pings_failed_total", "0x8 4x20", ',reason="unknown"'),
        "5m",
        fires=POD,
        says={"summary": "p1 could not tell whether some pings were counted"},
    ),
    case("PingpongOutcomeUnknown", "none unknown", of_pod("pingpong_pings_failed_total", "4x20", ',reason="unknown"'), "5m"),
    case(
        "PingpongReconnecting",
        "again and again",
        of_pod("pingpong_database_reconnects_total", "0+1x40"),
        "10m",
        fires=POD,
        says={"summary": "p1 keeps losing its database connection"},
    ),
    case("PingpongReconnecting", "once", of_pod("pingpong_database_reconnects_total", "0x8 1x40"), "10m"),
    case("LogOutputAbsent", "nobody answers", up("log-output", "0x20"), "3m", fires={}),
    case("LogOutputAbsent", "one answers", up("log-output", "1x20"), "3m"),
    case(
        "LogOutputSharedFileStale",
        "no line for long",
        of_pod("log_output_shared_file_age_seconds", "0+15x40"),
        "3m",
        fires=POD,
        says={
            "summary": "The writer of p1 has stopped",
            "description": "The last line of the shared file is 3m 0s old. Look at the writer's log.",
        },
    ),
    case("LogOutputSharedFileStale", "lines as usual", of_pod("log_output_shared_file_age_seconds", "1 4 2 3 0 1 4 2 3 0 1 4 2 3 0"), "3m"),
    case(
        "LogOutputUpstreamFailing",
        "one in ten",
        upstream(90, 10),
        "12m",
        fires={"namespace": "log-pong"},
        says={"summary": "10% of the pages lack their pong"},
    ),
    case("LogOutputUpstreamFailing", "one in a hundred", upstream(99, 1), "12m"),
    case(
        "LogPongRestarting",
        "every minute",
        of_pod("process_start_time_seconds", "0+15x40", ',job="pingpong"'),
        "10m",
        fires={**POD, "job": "pingpong"},
        says={"summary": "p1 keeps restarting"},
    ),
    case("LogPongRestarting", "once", of_pod("process_start_time_seconds", "5x8 200x40", ',job="pingpong"'), "10m"),
    case(
        "LogPongFewDescriptorsLeft",
        "nine tenths",
        of_pod("process_open_fds", "900x40", ',job="pingpong"') | of_pod("process_max_fds", "1000x40", ',job="pingpong"'),
        "6m",
        fires={**POD, "job": "pingpong"},
        says={"summary": "p1 has used 90% of its file descriptors"},
    ),
    case(
        "LogPongFewDescriptorsLeft",
        "half",
        of_pod("process_open_fds", "500x40", ',job="pingpong"') | of_pod("process_max_fds", "1000x40", ',job="pingpong"'),
        "6m",
    ),
    case(
        "WitnessViolation",
        "a number twice",
        of_pod("witness_violations_total", "0x8 1x20", ',kind="repeated"')
        | of_pod("witness_violations_total", "0x30", ',kind="backwards"'),
        "5m",
        fires={**POD, "kind": "repeated"},
        says={"summary": "p1 saw numbers that were repeated"},
    ),
    case(
        "WitnessViolation",
        "long ago, and still true",
        of_pod("witness_violations_total", "1x400", ',kind="missing"'),
        "90m",
        fires={**POD, "kind": "missing"},
        says={"summary": "p1 saw numbers that were missing"},
    ),
    case("WitnessViolation", "none", of_pod("witness_violations_total", "0x20", ',kind="repeated"'), "4m"),
    case("WitnessOutage", "no end", of_pod("witness_outage", "0x4 1x20"), "4m", fires=POD, says={"summary": "p1 sees requests fail"}),
    case("WitnessOutage", "a minute", of_pod("witness_outage", "0x4 1x4 0x20"), "3m"),
    case(
        "WitnessDown",
        "it does not answer",
        up("witness", "0x40"),
        "6m",
        fires={**POD, "job": "witness"},
        says={"summary": "p1 does not answer"},
    ),
    case("WitnessDown", "there is none", {}, "6m"),
    case("WitnessDown", "it answers", up("witness", "1x40"), "6m"),
]
