"""The fake Port's page: the runs as people would see them at Port.

Everything that comes from a run is set as text, never as markup, and only http(s) links become links: ids, logs and
responses are hostile here as anywhere. The policy in the headers lets no foreign script in even if that failed.
"""

import base64
import hashlib

_STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1b2230; --soft: #667085; --line: #e3e6eb;
  --run: #2563eb; --good: #15803d; --bad: #b91c1c; --warn: #b45309; }
@media (prefers-color-scheme: dark) { :root { --back: #12151b; --card: #1b2029; --text: #e6e9ef; --soft: #98a2b3;
  --line: #2d3440; --run: #7aa7ff; --good: #5fd38d; --bad: #ff8a80; --warn: #f5b85c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.3rem; margin: 0; }
#about { color: var(--soft); margin: 0 0 1.2rem; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 8px; margin: 0 0 .5rem; }
summary { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr) auto; gap: 1rem; padding: .6rem .9rem;
  cursor: pointer; align-items: baseline; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 2px solid var(--run); outline-offset: 2px; border-radius: 8px; }
.state { font-weight: 600; font-size: .85rem; color: var(--run); white-space: nowrap; }
.state::before { content: "◌ "; }
.SUCCESS .state { color: var(--good); } .SUCCESS .state::before { content: "✓ "; }
.FAILURE .state { color: var(--bad); } .FAILURE .state::before { content: "✕ "; }
.id { font-family: ui-monospace, monospace; font-size: .9rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.soft, time { color: var(--soft); font-size: .85rem; }
.more { border-top: 1px solid var(--line); padding: .7rem .9rem; }
.more p { margin: 0 0 .6rem; overflow-wrap: anywhere; }
pre { margin: 0 0 .6rem; padding: .6rem; background: var(--back); border-radius: 6px; overflow: auto;
  max-height: 16rem; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
ol { list-style: none; margin: 0; padding: 0; font-size: .9rem; }
li { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: .6rem; overflow-wrap: anywhere; }
li.WARN span { color: var(--warn); } li.ERROR span { color: var(--bad); }
a { color: var(--run); }
#none { color: var(--soft); text-align: center; padding: 3rem 0; }
@media (max-width: 40rem) { summary { grid-template-columns: 1fr; gap: .1rem; } }
"""

_SCRIPT = """
"use strict";
const list = document.getElementById("runs"), about = document.getElementById("about");
const known = new Map();
const clock = (at) => new Date(at * 1000).toLocaleTimeString();
function make(tag, text, name) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
}
function link(address) {
  const text = String(address);
  if (!/^https?:\\/\\//i.test(text)) return make("span", text);
  const node = make("a", text);
  node.href = text; node.rel = "noopener noreferrer"; node.target = "_blank";
  return node;
}
function labelled(label, ...nodes) {
  const row = make("p");
  row.append(make("span", label + " ", "soft"));
  nodes.forEach((node, at) => { if (at) row.append(", "); row.append(node); });
  return row;
}
function inside(run) {
  const parts = [];
  if (run.summary !== null) parts.push(labelled("Summary", make("span", run.summary)));
  if (run.link !== null) parts.push(labelled("Link", ...[].concat(run.link).map(link)));
  if (run.externalRunId !== null) parts.push(labelled("External id", make("span", run.externalRunId)));
  if (run.response !== null) {
    parts.push(make("div", "Response", "soft"));
    const text = typeof run.response === "string" ? run.response : JSON.stringify(run.response, null, 2);
    parts.push(make("pre", text));
  }
  const logs = make("ol");
  for (const line of run.logs) {
    const row = make("li", undefined, line.level);
    row.append(make("time", clock(line.at)), make("span", line.text));
    logs.append(row);
  }
  parts.push(run.logs.length ? logs : make("p", "Nothing reported yet.", "soft"));
  return parts;
}
function card(run, old) {
  const node = old || make("details"), head = make("summary"), more = make("div", undefined, "more");
  const title = make("span", undefined, "id");
  title.append(run.id); title.title = run.id;
  if (run.title) title.append(make("span", "  " + run.title, "soft"));
  head.append(make("span", run.state.replace("_", " "), "state"), title,
    make("span", run.kind + " · " + clock(run.changedAt), "soft"));
  more.append(...inside(run));
  node.className = run.state;
  node.replaceChildren(head, more);
  return node;
}
function show(data) {
  const word = (name, label) => (data.states[name] || 0) + " " + label;
  about.textContent = data.total + " runs: " + word("IN_PROGRESS", "in progress") + ", " + word("SUCCESS", "succeeded")
    + ", " + word("FAILURE", "failed") + ". " + data.calls + " API calls."
    + (data.total > data.runs.length ? " The last " + data.runs.length + " are shown." : "");
  const seen = new Set();
  data.runs.forEach((run, at) => {
    const text = JSON.stringify(run), old = known.get(run.id);
    seen.add(run.id);
    const focused = old && old.node.contains(document.activeElement);
    const node = old && old.text === text ? old.node : card(run, old && old.node);
    known.set(run.id, { text, node });
    if (list.children[at] !== node) list.insertBefore(node, list.children[at] || null);
    if (focused) node.firstChild.focus();
  });
  for (const [id, { node }] of known) if (!seen.has(id)) { node.remove(); known.delete(id); }
  document.getElementById("none").hidden = data.runs.length > 0;
}
async function refresh() {
  try {
    show(await (await fetch("/api/runs")).json());
  } catch {
    about.textContent = "The sandbox has stopped, or cannot be reached.";
  }
  setTimeout(refresh, 1000);
}
refresh();
"""

PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fake Port: runs</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Fake Port</h1>
<p id="about" aria-live="off">Loading…</p>
<div id="runs"></div>
<p id="none" hidden>No runs yet. They appear with their first report.</p>
<noscript>This page needs JavaScript; the same as JSON is at <a href="/api/runs">/api/runs</a>.</noscript>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


PAGE_HEADERS = (
    (
        "Content-Security-Policy",
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
"""The only script and style allowed are the page's own, by their hashes."""
