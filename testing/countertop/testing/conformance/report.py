"""The report on one driver as one HTML page, with nothing fetched from anywhere."""

from __future__ import annotations

from html import escape
from importlib.metadata import version

from countertop.testing.conformance.verdicts import Verdict, Verdicts
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["html_report"]


def html_report(verdicts: Verdicts, docs: str = "") -> str:
    """The page. Numbers of requirements link to `docs` (`https://example.com/conformance.html`), which is a built page
    of docs/conformance.md; by default to their texts at the end of the page itself.
    """
    suite, info = verdicts.suite, verdicts.info
    name = suite.driver if isinstance(suite.driver, str) else suite.driver.name
    kind = DeviceKind.Name(suite.kind).removeprefix("DEVICE_KIND_").replace("_", " ").lower()
    facts = {
        "Driver": name,
        "Kind": kind,
        "Ran on": verdicts.on,
        "Device": " ".join(filter(None, (info.vendor, info.model, info.firmware))) or "was never identified",
        "When": f"{verdicts.when:%Y-%m-%d %H:%M} UTC",
        "Countertop": version("countertop"),
    }
    verdict, word = ("conforms", "passed") if verdicts.conforms else ("does not conform", "failed")
    if verdicts.interrupted:
        verdict = "was interrupted"
    counts = ", ".join(
        f"{verdicts.count(w)} {w}" for w in ("passed", "failed", "skipped", "not run") if verdicts.count(w)
    )
    rows = "\n".join(_row(item, docs) for item in verdicts.by_number.values())
    texts = "\n".join(_text(item) for item in verdicts.by_number.values())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Conformance of {escape(name)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Conformance of <code>{escape(name)}</code></h1>
<p class="verdict {word}">{escape(name)} {verdict}: {counts}.</p>
<dl>{"".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())}</dl>
<table>
<thead><tr><th>Requirement</th><th>What must hold</th><th>Verdict</th><th>Time</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<h2>What the requirements mean</h2>
<p>As in <code>docs/conformance.md</code>.</p>
{texts}
</body>
</html>
"""


def _row(verdict: Verdict, docs: str) -> str:
    number = verdict.requirement.number
    link = f"{escape(docs)}#{number.lower()}"
    why = f'<p class="why">{escape(verdict.reason)}</p>' if verdict.reason else ""
    if verdict.trace:
        why += f"<details><summary>where</summary><pre>{escape(verdict.trace)}</pre></details>"
    word = verdict.word.replace(" ", "-")
    return (
        f'<tr class="{word}"><td><a href="{link}">{number}</a></td><td>{escape(verdict.requirement.title)}{why}</td>'
        f'<td class="word">{verdict.word}</td><td class="time">{verdict.seconds:.2f} s</td></tr>'
    )


def _text(verdict: Verdict) -> str:
    requirement = verdict.requirement
    paragraphs = "".join(f"<p>{escape(' '.join(part.split()))}</p>" for part in requirement.why.split("\n\n"))
    return f'<h3 id="{requirement.number.lower()}">{requirement.number} {escape(requirement.title)}</h3>{paragraphs}'


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --idle: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --idle: #d29922; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
.verdict { font-size: 1.25rem; font-weight: 600; }
.verdict.passed, .passed .word { color: var(--good); }
.verdict.failed, .failed .word { color: var(--bad); }
.skipped .word, .not-run .word { color: var(--idle); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dt { opacity: .7; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
.word { font-weight: 600; white-space: nowrap; } .time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.why { margin: .2rem 0 0; opacity: .85; } pre { overflow-x: auto; font-size: .8rem; }
"""
