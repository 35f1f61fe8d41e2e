#!/usr/bin/env python3
"""Asks one URL again and again, from several clients, and counts what is not answered with 200.

Runs until SIGTERM or SIGINT, then prints {"ok":…,"failed":…,"largest":…,"failures":{…}} and
ends with 0. A client that gets no answer does not ask a second time: each failure counts.
"""

import argparse
import collections
import json
import signal
import threading
import urllib.error
import urllib.request


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.ok = 0
        self.largest = 0
        self.failures = collections.Counter()

    def count(self, number, failure):
        with self.lock:
            if failure:
                self.failures[failure] += 1
            else:
                self.ok += 1
                self.largest = max(self.largest, number)

    def report(self):
        return {"ok": self.ok, "failed": sum(self.failures.values()), "largest": self.largest,
                "failures": dict(self.failures)}


def ask(url, timeout):
    """The number of the pong, or why there is none."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return int(json.load(answer)["pong"]), ""
    except urllib.error.HTTPError as error:
        return 0, f"status {error.code}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return 0, f"{type(error).__name__}: {error}"


def client(options, tally, stop):
    while not stop.wait(options.clients / options.rate):
        tally.count(*ask(options.url, options.timeout))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=20, help="requests a second (default: 20)")
    parser.add_argument("--clients", type=int, default=4, help="at the same time (default: 4)")
    parser.add_argument("--timeout", type=float, default=10, help="seconds (default: 10)")
    options = parser.parse_args()
    tally, stop = Tally(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clients = [threading.Thread(target=client, args=(options, tally, stop))
               for _ in range(options.clients)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    print(json.dumps(tally.report()))


if __name__ == "__main__":
    main()
