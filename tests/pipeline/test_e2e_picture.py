"""The picture of docs/live.md, out of what a witness tells."""

import sys
from xml.etree import ElementTree

from bumping import ROOT

sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from live import picture, results

SVG = "{http://www.w3.org/2000/svg}"


def request(began, ended, result="ok", pod="pingpong-aaa-1"):
    time = "2026-11-25T10:00:{:06.3f}Z"
    return {
        "event": "request",
        "time": time.format(ended),
        "began": time.format(began),
        "seconds": round(ended - began, 3),
        "result": result,
        "answerer": {"instance": pod} if pod else None,
    }


REQUESTS = [
    request(1.0, 1.1),
    request(1.2, 1.3, pod="pingpong-aaa-2"),
    request(1.5, 2.25, pod="pingpong-bbb-1"),
    request(2.0, 2.1, "not_counted", "pingpong-bbb-1"),
    request(2.5, 4.5, "may_be_counted", None),
    request(4.6, 4.7),
]


def test_answers_are_counted_in_the_second_in_which_they_came():
    kept = picture.series(REQUESTS, [(picture.seconds_of("2026-11-25T10:00:02.500Z"), "asked for")])
    assert [second[:3] for second in kept["seconds"]] == [[2, 0, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]]
    assert [second[3] for second in kept["seconds"]] == [0.75, 2.0, 0, 0.1]
    assert kept["marks"] == [[1.5, "asked for"]]


def test_the_picture_has_a_bar_for_each_and_says_what_it_shows():
    kept = picture.series(REQUESTS, [(picture.seconds_of("2026-11-25T10:00:02.500Z"), "asked <for>")])
    root = ElementTree.fromstring(picture.svg([("one & two", kept), ("three", kept)]))
    of_class = lambda name: [float(bar.get("height")) for bar in root.iter(SVG + "rect") if bar.get("class") == name]  # noqa: E731
    # One of each is the legend's. The highest second has two answers, and 2 is where its axis ends.
    assert of_class("old") == [11, *[picture.BARS, picture.BARS / 2] * 2]
    assert of_class("new") == [11, *[picture.BARS / 2] * 2]
    assert of_class("failed") == [11, *[picture.BARS / 2] * 4]
    words = [element.text for element in root.iter(SVG + "text")]
    assert {"one & two", "three", "asked <for>", "2 s"} <= set(words)


def test_the_document_shows_the_picture_if_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "DOCUMENT", tmp_path / "live.md")
    monkeypatch.setattr(results, "PICTURE", tmp_path / "live.svg")
    monkeypatch.setattr(results, "README", tmp_path / "README.md")
    results.README.write_text(f"{results.README_BEGIN}{results.README_END}", "utf-8")
    monkeypatch.setattr(results, "versions", lambda _: "today")
    row = {"seconds": 1.0, "seen": {"requests": 6, "failed": 2}}
    shows = {"canary-good": "it is good", "again": "nothing changes"}
    results.write({"again": row | {picture.KEY: picture.series(REQUESTS, [])}}, shows)
    assert "live.svg" not in results.DOCUMENT.read_text("utf-8") and not results.PICTURE.exists()
    results.write({"canary-good": row | {picture.KEY: picture.series(REQUESTS, [])}}, shows)
    assert "](live.svg)" in results.DOCUMENT.read_text("utf-8")
    assert "canary-good: it is good" in results.PICTURE.read_text("utf-8")
