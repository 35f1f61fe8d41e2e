"""What runs a document's commands and compares what they print, without a cluster."""

import os
import shutil
import sys

import pytest
from bumping import ROOT
from processes import eventually, runs

sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from live.cluster import Failed
from live.document import MORE, Mistake, kind_of, parse
from live.steps import journey
from live.terminal import Terminal

DOCUMENT = """# A title

## 1. The first

```console
$ echo one; echo two
one
two
$ printf '%s\\n' \\
    three
three
```

Words.

<!-- not run: it would take for ever -->
```console
$ sleep infinity
```

## 2. The second

```console
$ seq 5
1
…
5
$ true
```
"""


@pytest.fixture
def terminal(tmp_path):
    with Terminal(tmp_path, os.environ) as opened:
        yield opened


def test_a_document_that_is_true_holds(terminal):
    assert journey.walk(parse(DOCUMENT), 1, terminal, []) == {"commands": 2, "left out": 1}
    assert journey.walk(parse(DOCUMENT), 2, terminal, []) == {"commands": 2}


@pytest.mark.parametrize(
    "old, new",
    [
        ("one\ntwo", "one\n2"),
        ("one\ntwo", "two\none"),
        ("one\ntwo", "one"),
        ("one\ntwo", "one\ntwo\ntwo"),
        ("three\nthree\n", "three\n"),
        ("echo one; echo two", "echo one"),
        ("echo one; echo two", "echo one; echo two; false"),
        ("echo one; echo two", "echo one; echo two; echo three >&2"),
    ],
)
def test_a_document_that_is_not_true_fails(terminal, old, new):
    assert old in DOCUMENT
    with pytest.raises(Failed):
        journey.walk(parse(DOCUMENT.replace(old, new, 1)), 1, terminal, [])


@pytest.mark.parametrize(
    "old, new", [("1\n…\n5", "2\n…\n5"), ("1\n…\n5", "1\n…\n4"), ("…\n5\n$ true", "5\n$ true"), ("$ true\n", "$ true\nsomething\n")]
)
def test_what_is_left_out_is_all_that_may_differ(terminal, old, new):
    assert old in DOCUMENT
    with pytest.raises(Failed):
        journey.walk(parse(DOCUMENT.replace(old, new)), 2, terminal, [])


def test_other_names_are_put_in_and_taken_out_again(terminal):
    text = DOCUMENT.replace("echo one; echo two", "echo theirs; echo two").replace("one\ntwo", "theirs\ntwo")
    journey.walk(parse(text), 1, terminal, [("theirs", "mine")])
    with pytest.raises(Failed):
        journey.walk(parse(text.replace("theirs\ntwo", "mine\ntwo")), 1, terminal, [("theirs", "mine")])


def test_what_was_printed_is_written_and_then_holds():
    document = parse(DOCUMENT)
    lines = [command.line for command in document.commands]
    printed = {lines[0]: ["another"], lines[1]: [], lines[3]: ["a", "b", "c", "d"], lines[4]: ["late"]}
    written = document.with_printed(printed)
    again = parse(written)
    assert [command.text for command in again.commands] == [command.text for command in document.commands]
    assert [command.shown for command in again.commands] == [["another"], [], [], ["a", MORE, "d"], ["late"]]
    for old, new in zip(document.commands, again.commands):
        assert new.differs(printed.get(old.line, [])) == ""
    assert "Words." in written and again.commands[2].reason == "it would take for ever"


@pytest.mark.parametrize(
    "text",
    ["```console\noutput\n```\n", "```console\n$ true\n", "<!-- not run: why -->\nwords\n"],
)
def test_a_document_that_cannot_be_run_is_told(text):
    with pytest.raises(Mistake):
        parse(text)


SAME = [
    ("pingpong-6d5f7c9d8b-x2x7k   1/1     Running   0          4s", "pingpong-59c8f9b6c4-2xkqv  1/1   Running   0   1m5s"),
    ('pod "postgres-secret-7m2rf" deleted', 'pod "postgres-secret-zj8hd" deleted'),
    ("Date: Wed, 25 Nov 2026 08:43:47 GMT", "Date: Thu, 26 Nov 2026 09:00:00 GMT"),
    ("Log-Pong-Commit: d5049ce89ba9", "Log-Pong-Commit: 0123456789ab"),
    ("service/postgres-svc   ClusterIP   10.96.12.201   <none>", "service/postgres-svc  ClusterIP  10.96.1.2  <none>"),
    ("2026-11-23T19:59:29.155Z: " + "ab" * 32, "2026-11-24T19:59:29.155Z: " + "cd" * 32),
    ("Unhealthy  1s (x9 over 17s)  kubelet", "Unhealthy  2s (x11 over 3m2s)  kubelet"),
    ("├──α pingpong-rollout-d8c7ccc79-2  AnalysisRun", "└──α pingpong-rollout-59c8f9b6c4-2   AnalysisRun"),
    ("✖ Failed  45s  ✔ 20,✖ 3", "✖ Failed  1m45s  ✔ 7,✖ 2"),
    ('{"held":true,"requests":612,"failed":0}', '{"held":true,"requests":7,"failed":0}'),
]
OTHER = [
    ("pingpong-6d5f7c9d8b-x2x7k   1/1     Running   0          4s", "pingpong-6d5f7c9d8b-x2x7k   0/1     Running   0          4s"),
    ("pingpong-6d5f7c9d8b-x2x7k   1/1     Running   0          4s", "pingpong-6d5f7c9d8b-x2x7k   1/1     Running   1          4s"),
    ("log-output-7c9f6d5b8-4kq2p", "pingpong-7c9f6d5b8-4kq2p"),
    ('{"pong":2}', '{"pong":3}'),
    ("Ping / Pongs: 1", "Ping / Pongs: 12"),
    ('{"held":true,"requests":612,"failed":0}', '{"held":true,"requests":612,"failed":1}'),
    ('{"held":true,"requests":612,"failed":0}', '{"held":true,"requests":0,"failed":0}'),
    ("HTTP/1.1 503 Service Unavailable", "HTTP/1.1 500 Internal Server Error"),
    ("pod/postgres-0   1/1", "pod/postgres-1   1/1"),
    ("├──α pingpong-rollout-d8c7ccc79-2  AnalysisRun", "├──α pingpong-rollout-d8c7ccc79-3  AnalysisRun"),
    ("failed (3) > failureLimit (2)", "failed (2) > failureLimit (1)"),
]


@pytest.mark.parametrize("one, another", SAME)
def test_what_nobody_can_know_before_is_compared_by_its_kind(one, another):
    assert kind_of(one) == kind_of(another)


@pytest.mark.parametrize("one, another", OTHER)
def test_all_else_is_compared_as_it_is(one, another):
    assert kind_of(one) != kind_of(another)


def test_a_command_that_does_not_end_is_ended_with_what_it_began(tmp_path):
    with Terminal(tmp_path, os.environ) as opened:
        (process,), _ = opened.run("sleep 1000 >/dev/null & echo $!", 30)
        with pytest.raises(Failed, match="not done after 0.2 s: sleep 1001"):
            opened.run("sleep 1001", 0.2)
    eventually(lambda: not runs(process))


def test_a_job_in_the_background_is_ended_by_its_number(terminal):
    for _ in range(2):
        terminal.run("sleep 1000 &", 30)
        assert terminal.run("kill %1", 30) == ([], 0)
        assert terminal.run("wait; cd /; echo $?; pwd", 30) == (["0", "/"], 0)


def test_a_command_prints_to_a_terminal(terminal):
    assert terminal.run("[ -t 1 ] && echo yes", 30) == (["yes"], 0)


@pytest.mark.parametrize("owner", ["owner", "Somebody-Else"])
def test_every_name_on_github_is_another_in_the_readers_repository(tmp_path, monkeypatch, owner):
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    for file in (tmp_path / "manifests").rglob("*.yaml"):
        text = file.read_text("utf-8").replace("github.com/owner/", f"github.com/{owner}/")
        file.write_text(text.replace("ghcr.io/owner/", f"ghcr.io/{owner.lower()}/"), "utf-8")
    monkeypatch.setattr(journey, "FOLDER", tmp_path)
    journey.name_repository("http://git/mine.git")
    argocd = "".join(file.read_text("utf-8") for file in (tmp_path / "manifests" / "argocd").glob("*.yaml"))
    images = (tmp_path / "manifests" / "overlays" / "gitops" / "kustomization.yaml").read_text("utf-8")
    assert argocd.count("http://git/mine.git") == 2 and "github.com" not in argocd
    assert images.count("newName: docker.io/log-pong/") == 4 and "ghcr.io" not in images


def test_the_journey_shows_what_each_of_its_commands_prints():
    text = journey.JOURNEY.read_text("utf-8")
    document = parse(text)
    assert [bool(document.chapter(number)) for number in range(6)] == [True] * 6
    assert all(command.chapter in range(6) for command in document.commands)
    assert "Expected" not in text


def test_no_line_of_the_journey_can_change_unseen():
    for command in parse(journey.JOURNEY.read_text("utf-8")).commands:
        assert command.differs(command.shown) == ""
        for at, line in enumerate(command.shown):
            if line != MORE:
                changed = [*command.shown[:at], line + " changed", *command.shown[at + 1 :]]
                assert command.differs(changed), f"line {command.line + at}"
                assert command.differs([*command.shown[:at], *command.shown[at + 1 :]])
