"""Eight pushers at once, again and again: no bump is lost, none goes back to an older commit.

ROUNDS sets how often (make bump-test: 50).
"""

import os
import random
import subprocess
import time

import pytest
from bumping import REGISTRY, SERVICES, ConfigRepository, Pusher, SourceRepository, account, digest, environment, git, kustomize

ROUNDS = int(os.environ.get("ROUNDS", "2"))
PUSHERS = 8
RACING = ("pingpong", "log-output")  # one image, and two at a time
SEED = int(os.environ.get("SEED", random.randrange(2**32)))


def own_entries(source, config, number):
    """Each pusher has an entry of its own: four overlays, two services, one new commit."""
    return [Pusher(service, source.line[number], source, config, overlay) for overlay in config.overlays for service in RACING]


def same_entries(source, config, number):
    """Four new commits for the same two entries: the newest must win in any order."""
    return [
        Pusher(service, commit, source, config, config.overlays[0])
        for commit in source.line[4 * number : 4 * number + 4]
        for service in RACING
    ]


SCENARIOS = {"own entries": (own_entries, ("gitops", "b", "c", "d"), 1), "same entries": (same_entries, ("gitops",), 4)}


def race(pushers):
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.wait()
    return pushers


def report(capsys, name, pushers, found, seconds):
    attempts = [pusher.attempts for pusher in pushers if pusher.attempts]
    rows = [
        ("scenario", name),
        ("rounds x pushers", f"{ROUNDS} x {PUSHERS} (seed {SEED})"),
        ("bumps asked for", len(pushers)),
        ("pushed, and in the history", found.pushed),
        ("stopped, a newer one was there", found.superseded),
        ("stopped for another reason", found.failed),
        ("lost", found.lost),
        ("entries not at the newest", found.outdated),
        ("newer replaced by older", found.backwards),
        ("anything else changed", found.foreign + found.unexplained),
        ("attempts a push, mean / most", f"{sum(attempts) / len(attempts):.1f} / {max(attempts)}"),
        ("seconds", f"{seconds:.0f}"),
    ]
    with capsys.disabled():
        print()
        for key, value in rows:
            print(f"| {key:<32} | {value!s:>30} |")


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_bump_is_lost(tmp_path, capsys, name):
    make, overlays, commits = SCENARIOS[name]
    source = SourceRepository(tmp_path / "source", ROUNDS * commits)
    config = ConfigRepository(tmp_path / "config.git", overlays)
    shuffle = random.Random(SEED).shuffle
    everyone, start = [], time.monotonic()
    for number in range(ROUNDS):
        pushers = make(source, config, number)
        assert len(pushers) == PUSHERS
        shuffle(pushers)
        everyone += race(pushers)
    found = account(everyone, config, source.line)
    report(capsys, name, everyone, found, time.monotonic() - start)
    complaints = [pusher.output for pusher in everyone if pusher.code not in (0, 3)]
    assert found.clean, (found, complaints)
    assert found.pushed + found.superseded == ROUNDS * PUSHERS
    if name == "own entries":
        assert found.pushed == ROUNDS * PUSHERS


def test_the_account_sees_bumps_that_a_push_without_retry_loses(tmp_path):
    """The same race by clone, edit, push and no more, as a pipeline without care does it."""
    source = SourceRepository(tmp_path / "source", 1)
    config = ConfigRepository(tmp_path / "config.git", ("gitops", "b", "c", "d"))
    pushers = own_entries(source, config, 0)
    trees = []
    for number in range(len(pushers)):
        git(tmp_path, "clone", "--quiet", str(config.path), f"tree{number}")
        trees.append(tmp_path / f"tree{number}")
    for pusher, tree in zip(pushers, trees):
        pusher.code = careless(pusher, tree, "--quiet")
    found = account(pushers, config, source.line)
    assert (found.pushed, found.lost, found.outdated) == (PUSHERS, PUSHERS - 1, PUSHERS - 1)


def test_the_account_sees_bumps_that_a_forced_push_throws_away(tmp_path):
    source = SourceRepository(tmp_path / "source", 1)
    config = ConfigRepository(tmp_path / "config.git", ("gitops", "b", "c", "d"))
    pushers = own_entries(source, config, 0)[:2]
    for number in range(len(pushers)):
        git(tmp_path, "clone", "--quiet", str(config.path), f"tree{number}")
    for number, pusher in enumerate(pushers):
        pusher.code = careless(pusher, tmp_path / f"tree{number}", "--force")
    found = account(pushers, config, source.line)
    assert (found.lost, found.outdated) == (1, 1)


def test_the_account_sees_an_older_commit_put_over_a_newer(tmp_path):
    source = SourceRepository(tmp_path / "source", 2)
    config = ConfigRepository(tmp_path / "config.git")
    pushers = [Pusher("pingpong", commit, source, config) for commit in reversed(source.line)]
    for number, pusher in enumerate(pushers):
        git(tmp_path, "clone", "--quiet", str(config.path), f"tree{number}")
        pusher.code = careless(pusher, tmp_path / f"tree{number}", "--quiet")
    assert account(pushers, config, source.line).backwards == 1


def careless(pusher, tree, how):
    """What bump-image does, without any of its care; always content with itself."""
    for image in SERVICES[pusher.service]:
        reference = f"{image}={REGISTRY}/{image.split('/')[1]}:{pusher.commit}@{digest(pusher.commit, image)}"
        subprocess.run([kustomize(), "edit", "set", "image", reference], cwd=tree / pusher.overlay, check=True, timeout=60)
    git(tree, "commit", "--quiet", "--all", "-m", "bump")
    subprocess.run(["git", "push", how, "origin", "HEAD:main"], cwd=tree, env=environment(), capture_output=True, timeout=60, check=False)
    return 0
