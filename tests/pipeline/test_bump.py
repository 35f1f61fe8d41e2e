"""One bump at a time: what it changes, when it refuses, and why it stops."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import time

import pytest
import yaml
from bumping import (
    BUMP,
    NO_COMMIT,
    OVERLAY,
    ROOT,
    SERVICES,
    ConfigRepository,
    Pusher,
    SourceRepository,
    digest,
    entry,
    environment,
    git,
    kustomize,
)

FILE = f"{OVERLAY}/kustomization.yaml"


def without_entries(text, images):
    """The lines that a bump of these images has no business with."""
    for image in images:
        text, found = re.subn(rf"(?m)^( *)- (?:.*\n\1  )*?name: {image}\n(?:\1  .*\n)*", "", text)
        assert found == 1
    return text


def bump(source, config, commit, service="pingpong", *more, **fields):
    return Pusher(service, commit, source, config, more=list(more), **fields).run()


def set_entry(config, name, **values):
    """Another's hand in the overlay."""

    def edit(tree):
        content = yaml.safe_load((tree / FILE).read_text(encoding="utf-8"))
        for image in content["images"]:
            if image["name"] == name:
                image.update(values)
        (tree / FILE).write_text(yaml.safe_dump(content), encoding="utf-8")

    config.change(edit, f"Set {name}")


def rewrite(config, pattern, replacement):
    def edit(tree):
        text = (tree / FILE).read_text(encoding="utf-8")
        changed = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        assert changed != text
        (tree / FILE).write_text(changed, encoding="utf-8")

    config.change(edit, "Rewrite")


def assert_stopped(run, code, words, config, head):
    assert run.code == code, run.output
    assert "stopped: " in run.output and words in run.output, run.output
    assert config.head() == head


def client_hook(tmp_path, script):
    """Runs the script on the pusher's side, right before each of its pushes."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text("#!/bin/sh\n" + script, encoding="utf-8")
    (hooks / "pre-push").chmod(0o755)
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": str(hooks)}


def rival_push(config, tmp_path, command):
    """Shell text by which somebody else pushes first."""
    return (
        f"unset $(git rev-parse --local-env-vars) GIT_CONFIG_COUNT\nset -e\n"
        f"d=$(mktemp -d '{tmp_path}/rival.XXXXXX')\n"
        f'git clone --quiet \'{config.path}\' "$d"\ncd "$d"\n{command}\n'
        "git commit --quiet --all -m rival\ngit push --quiet origin HEAD:main\n"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_sets_tag_and_digest_and_nothing_else(source, config, service):
    before, head = config.text(), config.head()
    run = bump(source, config, source.line[3], service)
    assert run.pushed, run.output
    assert without_entries(config.text(), SERVICES[service]) == without_entries(before, SERVICES[service])
    expected = {image["name"]: image for image in yaml.safe_load(before)["images"]}
    expected.update({name: entry(source.line[3], name) for name in SERVICES[service]})
    assert config.images() == expected
    assert git(config.path, "diff", "--name-only", head, "main").split() == [FILE]
    assert git(config.path, "rev-parse", "main^").strip() == head


@pytest.mark.parametrize("indent", ["", "  ", "      "])
def test_the_other_entries_stay_as_they_are_written(source, config, indent):
    """In any order and indentation, with any quotes and blank lines."""

    def rewritten(tree):
        text = (tree / FILE).read_text(encoding="utf-8")
        block = "".join(
            f"{indent}- name: {name}\n{indent}  newTag: {quote}{NO_COMMIT}{quote}\n\n"
            for name, quote in (("log-pong/writer", "'"), ("log-pong/reader", '"'), ("log-pong/pingpong", "'"), ("log-pong/witness", '"'))
        )
        before, after = re.split(r"(?m)^images:\n(?:[ -].*\n)*", text)
        (tree / FILE).write_text(f"{before}images:\n{block}{after}", encoding="utf-8")

    config.change(rewritten, "Rewrite")
    before = config.text()
    for service in SERVICES:
        assert bump(source, config, source.line[0], service).pushed
    everything = sum(SERVICES.values(), [])
    assert without_entries(config.text(), everything) == without_entries(before, everything)
    assert list(config.images()) == ["log-pong/writer", "log-pong/reader", "log-pong/pingpong", "log-pong/witness"]


def test_the_manifests_use_the_new_image(source, config, tmp_path):
    bump(source, config, source.line[0])
    git(tmp_path, "clone", "--quiet", str(config.path), "tree")
    rendered = subprocess.run(
        [kustomize(), "build", str(tmp_path / "tree" / OVERLAY)], text=True, check=True, capture_output=True, timeout=60
    ).stdout
    assert re.search(
        r"image: ghcr\.io/log-pong/pingpong:" + source.line[0] + "@" + digest(source.line[0], "log-pong/pingpong") + "$", rendered, re.M
    )


def test_the_commit_says_what_is_deployed(source, config):
    bump(source, config, source.line[0], "log-output")
    message = git(config.path, "log", "-1", "--format=%B", "main")
    assert message.startswith(f"Deploy log-output {source.line[0][:12]}\n\n")
    assert f"Source-Commit: {source.line[0]}" in message
    assert digest(source.line[0], "log-pong/writer") in message


def test_the_second_time_there_is_nothing_to_do(source, config):
    bump(source, config, source.line[0])
    head = config.head()
    run = bump(source, config, source.line[0])
    assert run.code == 0 and "already there" in run.output
    assert config.head() == head


def test_a_newer_commit_replaces_an_older(source, config):
    bump(source, config, source.line[0])
    assert bump(source, config, source.line[5]).pushed
    assert config.images()["log-pong/pingpong"]["newTag"] == source.line[5]


def test_an_older_commit_never_replaces_a_newer(source, config):
    bump(source, config, source.line[5])
    head = config.head()
    for more in ([], ["--replace-unrelated"]):
        run = bump(source, config, source.line[4], "pingpong", *more)
        assert_stopped(run, 3, f"the deployed {source.line[5]} is newer", config, head)


def test_the_services_are_ordered_each_by_itself(source, config):
    bump(source, config, source.line[5])
    assert bump(source, config, source.line[4], "log-output").pushed


def test_a_rebuild_of_the_same_commit_replaces_the_digest(source, config):
    bump(source, config, source.line[2])
    assert bump(source, config, source.line[2], salt="again").pushed
    assert config.images()["log-pong/pingpong"]["digest"] == digest(source.line[2] + "again", "log-pong/pingpong")


@pytest.mark.parametrize("deployed,why", [("12" * 20, "is not in the source repository"), ("v1.2", "is not a full commit")])
def test_what_cannot_be_ordered_is_left_alone_until_told(source, config, deployed, why):
    set_entry(config, "log-pong/pingpong", newTag=deployed)
    head = config.head()
    assert_stopped(bump(source, config, source.line[0]), 4, why, config, head)
    assert bump(source, config, source.line[0], "pingpong", "--replace-unrelated").pushed


def test_a_side_branch_does_not_replace_main_nor_the_other_way_round(tmp_path, config):
    source = SourceRepository(tmp_path / "source", 3)
    side = source.branch_off(source.line[0], "pingpong/side.c")
    for first, second in ((side, source.line[2]), (source.line[2], side)):
        set_entry(config, "log-pong/pingpong", newTag=first)
        run = bump(source, config, second)
        assert_stopped(run, 4, "is on another branch of history", config, config.head())


def test_a_shallow_clone_does_not_decide(tmp_path, source, config):
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{source.path}", "shallow")
    git(tmp_path / "shallow", "remote", "remove", "origin")
    shallow = SourceRepository.__new__(SourceRepository)
    shallow.path = tmp_path / "shallow"
    set_entry(config, "log-pong/pingpong", newTag=source.line[0])
    head = config.head()
    run = bump(shallow, config, source.line[-1])
    assert_stopped(run, 4, "not in the source repository", config, head)


def test_a_newer_commit_is_found_by_fetching(tmp_path, source, config):
    """Another pipeline was quicker than this one's clone is young."""
    git(tmp_path, "clone", "--quiet", str(source.path), "clone")
    late = SourceRepository.__new__(SourceRepository)
    late.path = tmp_path / "clone"
    git(source.path, "commit", "--quiet", "--allow-empty", "-m", "newer")
    newer = git(source.path, "rev-parse", "HEAD").strip()
    try:
        set_entry(config, "log-pong/pingpong", newTag=newer)
        run = bump(late, config, source.line[-1])
        assert_stopped(run, 3, "is newer", config, config.head())
    finally:
        git(source.path, "reset", "--quiet", "--hard", source.line[-1])


def test_if_changed_asks_what_is_deployed_not_what_was_pushed_last(source, config):
    """Commits change the services in turn: number 0 and 2 log-output, 1 and 3 pingpong."""
    bump(source, config, source.line[1])
    head = config.head()
    run = bump(source, config, source.line[2], "pingpong", "--if-changed")
    assert run.code == 0 and "the sources are the same" in run.output
    assert config.head() == head
    assert bump(source, config, source.line[4], "pingpong", "--if-changed").pushed


def test_if_changed_deploys_where_nothing_was(source, config):
    assert bump(source, config, source.line[0], "pingpong", "--if-changed").pushed


def test_dry_run_pushes_nothing(source, config):
    head = config.head()
    run = bump(source, config, source.line[0], "pingpong", "--dry-run")
    assert run.code == 0 and "would push" in run.output and config.head() == head


def test_sources_and_configuration_in_one_repository(tmp_path):
    """The default: no --config-repo, found through the remote of the clone one stands in."""
    both = ConfigRepository(tmp_path / "both.git")
    git(tmp_path, "clone", "--quiet", str(both.path), "here")
    here = tmp_path / "here"
    for number in range(3):
        (here / "pingpong").mkdir(exist_ok=True)
        (here / "pingpong" / "main.c").write_text(f"{number}\n", encoding="utf-8")
        git(here, "add", "--all")
        git(here, "commit", "--quiet", "-m", f"Change {number}")
        git(here, "push", "--quiet", "origin", "HEAD:main")
        commit = git(here, "rev-parse", "HEAD").strip()
        image = f"log-pong/pingpong=ghcr.io/log-pong/pingpong@{digest(commit, 'x')}"
        done = subprocess.run(
            [str(BUMP), "--service", "pingpong", "--commit", commit, "--image", image, "--if-changed"],
            cwd=here,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 and "pushed" in done.stdout, done.stderr
        assert both.images()["log-pong/pingpong"]["newTag"] == commit
        git(here, "pull", "--quiet", "--ff-only", "origin", "main")
    assert git(here, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "argument,value,words",
    [
        ("--commit", "abc1234", "expected the full"),
        ("--commit", "A" * 40, "expected the full"),
        ("--commit", "1" * 40, "has no commit"),
        ("--service", "postgres", "invalid choice"),
        ("--image", "log-pong/pingpong=ghcr.io/log-pong/pingpong:latest@sha256:" + "1" * 64, "without a tag"),
        ("--image", "log-pong/pingpong=ghcr.io/log-pong/pingpong", "without a tag"),
        ("--image", f"log-pong/reader=ghcr.io/log-pong/reader@sha256:{'1' * 64}", "needs each"),
        ("--path", "../elsewhere", "inside the repository"),
        ("--attempts", "0", "invalid"),
    ],
)
def test_wrong_use(source, config, argument, value, words):
    pusher = Pusher("pingpong", source.line[0], source, config)
    argv = pusher.argv()
    if argument in argv:
        argv[argv.index(argument) + 1] = value
    else:
        argv += [argument, value]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and words in done.stderr


BROKEN = {
    "is not YAML": (r"^images:$", "images: ["),
    "has no list of images": (r"(?s)^images:.*", ""),
    "no entry for image log-pong/pingpong": (r"name: log-pong/pingpong", "name: other/image"),
    "is there twice": (r"name: log-pong/reader", "name: log-pong/writer"),
    "would drop this comment": (r"^images:$", "images:\n  # mine"),
    "kustomize build . failed": (r"^resources:(\n *-)", r"resources:\1 missing.yaml\1"),
    "kustomize edit set image": (r"^resources:$", "resourcez: []\nresources:"),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_broken_kustomization_stops_it(source, config, words):
    rewrite(config, *BROKEN[words])
    head = config.head()
    run = bump(source, config, source.line[0])
    assert run.code == 5 and config.head() == head
    assert words in run.output.replace(kustomize(), "kustomize"), run.output


def test_an_image_that_nothing_uses_stops_it(source, config):
    """As where kustomize does not know the resource that has the image."""
    config.change(
        lambda tree: [
            file.write_text(re.sub(r"image: log-pong/writer", "image: log-pong/scribe", file.read_text(encoding="utf-8")), encoding="utf-8")
            for file in (tree / "manifests").rglob("*.yaml")
        ],
        "Rename",
    )
    run = bump(source, config, source.line[0], "log-output")
    assert_stopped(run, 5, "nothing that it builds uses log-pong/writer", config, config.head())


def test_a_missing_overlay_stops_it(source, config):
    run = bump(source, config, source.line[0], overlay="manifests/overlays/elsewhere")
    assert_stopped(run, 5, "has no manifests/overlays/elsewhere", config, config.head())


def test_a_refused_push_stops_it_at_once(source, config):
    config.hook("pre-receive", "echo 'main is protected' >&2; exit 1\n")
    head, start = config.head(), time.monotonic()
    run = bump(source, config, source.line[0])
    assert_stopped(run, 6, "main is protected", config, head)
    assert "attempt" not in run.output and time.monotonic() - start < 20


def test_a_push_that_never_gets_through_ends_after_its_attempts(tmp_path, source, config):
    rival = rival_push(config, tmp_path, "date +%s%N >> README.md")
    run = bump(source, config, source.line[0], "pingpong", "--attempts", "3", env=client_hook(tmp_path, rival))
    assert run.code == 7, run.output
    assert "gave up after 3 attempts; the last: another push came first" in run.output
    assert config.images()["log-pong/pingpong"]["newTag"] == NO_COMMIT


def test_a_push_that_never_gets_through_ends_after_its_time(tmp_path, source, config):
    rival = rival_push(config, tmp_path, "date +%s%N >> README.md")
    start = time.monotonic()
    run = bump(source, config, source.line[0], "pingpong", "--deadline", "2", env=client_hook(tmp_path, rival))
    assert run.code == 7 and time.monotonic() - start < 20, run.output


def test_a_push_without_an_answer_is_tried_again_then_stops(tmp_path, source, config):
    head = config.head()
    run = bump(source, config, source.line[0], env=client_hook(tmp_path, "exit 1\n"))
    assert_stopped(run, 1, "cannot push", config, head)
    assert "attempt 2" in run.output


def test_anothers_change_made_meanwhile_stays(tmp_path, source, config):
    once = f"test -e '{tmp_path}/once' && exit 0\ntouch '{tmp_path}/once'\n"
    rival = once + rival_push(config, tmp_path, "echo mine >> README.md")
    run = bump(source, config, source.line[0], env=client_hook(tmp_path, rival))
    assert run.pushed and run.attempts == 2, run.output
    assert git(config.path, "show", "main:README.md").endswith("mine\n")


def test_a_newer_bump_that_lands_meanwhile_wins(tmp_path, source, config):
    newer = rival_push(config, tmp_path, f"sed -i 's/{NO_COMMIT}/{source.line[7]}/' {FILE}")
    run = bump(source, config, source.line[0], env=client_hook(tmp_path, newer))
    assert run.code == 3 and "is newer" in run.output, run.output
    assert config.images()["log-pong/pingpong"]["newTag"] == source.line[7]


def test_an_unreachable_repository(source, config, tmp_path):
    config.path = tmp_path / "nowhere.git"
    run = bump(source, config, source.line[0])
    assert run.code == 1 and "cannot fetch branch main" in run.output


def test_a_missing_kustomize(source, config):
    run = bump(source, config, source.line[0], env={"KUSTOMIZE": "/nonexistent/kustomize"})
    assert run.code == 1 and "not found" in run.output


@pytest.mark.parametrize("service", SERVICES)
def test_if_changed_looks_at_all_that_the_image_is_built_from(service):
    loader = importlib.machinery.SourceFileLoader("bump_image", str(BUMP))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    dockerfile = ROOT / f"Dockerfile.{service}"
    copied = {
        source for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", dockerfile.read_text(encoding="utf-8")) for source in line.split()[:-1]
    }
    known = set(module.SERVICES[service]["sources"])
    assert copied and copied <= known and dockerfile.name in known
