"""The report: one page, nothing fetched, nothing unescaped, every number leads to its text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from countertop.testing.conformance import IdReaderConformance, requirements_of
from countertop.testing.conformance.report import html_report
from countertop.testing.conformance.verdicts import Verdict, Verdicts
from countertop.v1.device_pb2 import DeviceInfo

NASTY = "<script>alert('1')</script> & \"more\""
FETCHES = {"src", "srcset", "background", "action", "data", "poster"}


class Reader(IdReaderConformance):
    driver = "sdt"


class Page(HTMLParser):
    """What is in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in FETCHES:
                self.fetched.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "tags are closed in their order"

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def verdicts() -> Verdicts:
    """One of each word, with texts that want to be markup."""
    by_number = {item.number: Verdict(item, "passed", seconds=0.25) for item in requirements_of(Reader).values()}
    by_number["D-02"] = Verdict(by_number["D-02"].requirement, "failed", reason=NASTY, trace=NASTY)
    by_number["D-03"] = Verdict(by_number["D-03"].requirement, "skipped", reason="no hand for it")
    by_number["D-04"] = Verdict(by_number["D-04"].requirement)
    info = DeviceInfo(vendor=NASTY, model="SAM_V", firmware="1.0")
    return Verdicts(Reader, f"the emulator {NASTY}", by_number, info=info)


def test_it_tells_what_was_found(verdicts: Verdicts) -> None:
    page = Page(html_report(verdicts))
    assert not page.open
    assert "sdt does not conform: 26 passed, 1 failed, 1 skipped, 1 not run." in page.words
    assert "no hand for it" in page.words
    assert "SAM_V 1.0" in page.words
    assert "id reader" in page.words


def test_texts_are_no_markup(verdicts: Verdicts) -> None:
    text = html_report(verdicts)
    page = Page(text)
    assert "script" not in page.tags
    assert page.words.count(NASTY) == 4, "device, place, reason and trace are shown as they are"


def test_nothing_is_fetched(verdicts: Verdicts) -> None:
    text = html_report(verdicts)
    page = Page(text)
    assert page.fetched == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text.replace("&lt;", "")


def test_every_number_leads_to_its_text(verdicts: Verdicts) -> None:
    page = Page(html_report(verdicts))
    assert sorted(page.ids) == sorted(number.lower() for number in verdicts.by_number)
    assert {link.removeprefix("#") for link in page.links} == set(page.ids)


def test_numbers_may_lead_to_the_documentation(verdicts: Verdicts) -> None:
    page = Page(html_report(verdicts, 'https://example.com/conformance.html?"x"'))
    assert 'https://example.com/conformance.html?"x"#d-03' in page.links


def test_a_whole_run_without_failures_conforms(verdicts: Verdicts) -> None:
    for verdict in verdicts.by_number.values():
        verdict.word = "passed"
    assert "sdt conforms: 29 passed." in Page(html_report(verdicts)).words


def test_an_interrupted_run_says_so(verdicts: Verdicts) -> None:
    verdicts.interrupted = True
    assert "sdt was interrupted" in Page(html_report(verdicts)).words
    assert 'class="verdict failed"' in html_report(verdicts)
