"""Flower in a real browser: what people on call see and do at three in the morning.

`LONGSHORE_SCREENSHOTS=folder` keeps pictures of each page there; `docs/images` gets those that the docs show.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.dashboard.target_pages import PAGE_SIZE
from longshore.ledger.activity import DAY_QUARTERS, HOUR_MINUTES, MINUTE_MS, QUARTER_MS, latency_field
from longshore.ledger.intake import stop_intake
from longshore.ledger.ledger import Ledger
from longshore.ledger.seal import Sealer
from longshore.ledger.states import State
from longshore.ledger.target_control import TargetControl
from longshore.operations.ledger_access import open_ledger
from longshore.sandbox.http_server import HttpAnswer, HttpServer, Request
from tasks.celery.app import make_app
from tests.support import browser as chromium
from tests.support.browser import Browser
from tests.support.flower import Flower
from tests.support.programs import eventually

from .conftest import Bench

LOGIN = "ann:pass:word"
DOCS = Path(__file__).resolve().parents[2] / "docs"
IMAGES = DOCS / "images"
SHOWN = frozenset(re.findall(r"images/([\w-]+\.png)", (DOCS / "how-to" / "flower.md").read_text()))
LOUD = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
ROUND = "\u202egpj.exe \u2066 שלום"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = chromium.find()
    if program is None:
        reason = "a browser test needs Chromium (Debian: apt install chromium)"
        if os.environ.get(chromium.REQUIRE) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with Browser(program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Browser:
    """The same for all tests, on an empty page and as it looks at first."""
    window.open("about:blank")
    window.log_in(LOGIN)
    window.look()
    window.complaints.clear()
    return window


@pytest.fixture
def start(bench: Bench) -> Iterator[Callable[..., Flower]]:
    flowers: list[Flower] = []

    def start(**environ: str) -> Flower:
        flowers.append(Flower(bench.folder, **(bench.environ | {"FLOWER_BASIC_AUTH": LOGIN} | environ)))
        return flowers[-1]

    yield start
    for flower in flowers:
        flower.close()


@pytest.fixture
def shoot(browser: Browser) -> Callable[[str], None]:
    """Takes a picture if somebody wants it, in light, dark and on a phone; among the docs' only those they show."""

    def shoot(name: str) -> None:
        if (wanted := os.environ.get("LONGSHORE_SCREENSHOTS")) is None:
            return
        folder = Path(wanted).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for look, width, dark in (("light", 1280, False), ("dark", 1280, True), ("phone", 400, False)):
            picture = folder / f"flower-{name}-{look}.png"
            if folder != IMAGES or picture.name in SHOWN:
                browser.look(width, 900, dark)
                browser.run("window.scrollTo(0, 0)")
                browser.screenshot(picture, whole=look == "phone")
        browser.look()
        browser.run("window.scrollTo(0, 0)")

    return shoot


class Repairable:
    """A target that fails until it is repaired."""

    def __init__(self) -> None:
        self.broken = True
        self.received: list[Request] = []

    def answer(self, request: Request) -> HttpAnswer:
        self.received.append(request)
        if self.broken:
            return HttpAnswer(422, b'{"error": "no such environment: prod-2"}')
        return HttpAnswer(200, b'{"ok": true}')


@pytest.fixture
def repairable() -> Iterator[tuple[Repairable, str]]:
    target, server = Repairable(), HttpServer("repairable")
    server.start()
    yield target, f"http://127.0.0.1:{server.listen('127.0.0.1', 0, target.answer)}"
    server.stop()


def test_a_failure_arrives_is_opened_requeued_and_succeeds(
    bench: Bench,
    start: Callable[..., Flower],
    browser: Browser,
    repairable: tuple[Repairable, str],
    shoot: Callable[[str], None],
) -> None:
    """Within a minute: what failed, why, what happens next; and sent again with one click."""
    target, origin = repairable
    bench.worker(WORKER_EVENTS="true")
    flower = start()
    browser.open(f"{flower.url}/dead-letters")
    browser.reads("No dead letters")

    bench.accept("r_prod", f"{origin}/deploy")
    browser.reads("r_prod")
    shoot("dead-letters")
    browser.click("#letters-table a")
    browser.reads("answered 422")
    browser.reads("Requeue it once the cause is gone")
    browser.click("#timeline summary")
    browser.reads("no such environment: prod-2")
    shoot("invocation")

    target.broken = False
    browser.write("#requeue-form input[name=why]", "prod-2 exists now")
    browser.click("#requeue")
    browser.reads("It is requeued")
    browser.until("document.querySelector('#state').innerText === 'done'")
    browser.reads("by ann (operator): prod-2 exists now")
    browser.reads("Nothing: it was delivered.")
    assert 2 == len(target.received)

    browser.open(f"{flower.url}/dead-letters")
    browser.reads("No dead letters")
    browser.open(f"{flower.url}/task/r_prod~2")
    browser.reads("SUCCESS")
    browser.click("a[href$='/invocation/r_prod~2']")
    browser.reads("prod-2 exists now")
    assert [] == browser.complaints


def test_a_run_whose_worker_was_killed_fails_in_its_row_too(
    bench: Bench, start: Callable[..., Flower], browser: Browser
) -> None:
    """Nobody is left to send its last event; Flower hears of it all the same, and leads to the page that says why."""
    flower = start()
    killed = bench.worker(WORKER_EVENTS="true", LEASE_S="8", WEBHOOK_INVOKER_TIMEOUT="60")
    bench.accept("r_1", "hanging")
    login = tuple(LOGIN.split(":", 1))
    eventually(lambda: flower.get("/task/r_1", auth=login).ok, "Flower knows the run")
    eventually(lambda: bench.record("r_1").get("state") == "begun", "it is being sent")
    killed.process.kill()
    killed.process.wait()
    bench.worker()
    bench.ends("r_1", "unknown", "worker_lost")

    eventually(lambda: "worker_lost" in flower.get("/task/r_1", auth=login).text, "Flower hears of it")
    browser.open(f"{flower.url}/task/r_1")
    browser.reads("FAILURE")
    browser.click("a[href$='/invocation/r_1']")
    browser.until("document.querySelector('#state')?.innerText === 'unknown'")
    browser.reads("look at the target before requeueing it")


def test_a_run_is_found_by_its_id_with_the_keyboard_alone(
    bench: Bench, start: Callable[..., Flower], browser: Browser
) -> None:
    """From every page, Flower's own too; and what is unknown is said to be."""
    bench.accept("r_1", "good", dead="bad_signature")
    flower = start()
    browser.open(f"{flower.url}/broker")
    for _ in range(30):
        browser.press("Tab")
        if browser.run("document.activeElement.name") == "id":
            break
    browser.send("Input.insertText", text="r_1")
    browser.press("Enter")
    browser.reads("Its signature fits none of our client secrets")

    browser.write(".longshore-search input", "r_none")
    browser.press("Enter")
    browser.reads("No invocation matches r_none")


def test_some_are_selected_and_requeued_with_the_keyboard_alone(
    bench: Bench, start: Callable[..., Flower], browser: Browser
) -> None:
    """Without a reason nothing happens; what is not selected stays."""
    for number in range(3):
        bench.accept(f"r_{number}", "good", dead="http_500")
    flower = start()
    browser.open(f"{flower.url}/dead-letters")
    browser.run("document.querySelector('input[name=pick]').focus()")
    browser.press(" ")
    browser.until("document.querySelectorAll('input[name=pick]:checked').length === 1")
    browser.click("#requeue-selected")
    browser.until("document.querySelectorAll('input[name=why]:invalid').length === 1")
    browser.write("#letters-form input[name=why]", "it was the network")
    browser.press("Enter")

    browser.reads("Requeued 1.")
    assert 2 == browser.run("document.querySelectorAll('#letters-table tbody tr').length")


def test_all_that_match_are_previewed_and_requeued_behind_a_canary(
    bench: Bench, start: Callable[..., Flower], browser: Browser, shoot: Callable[[str], None]
) -> None:
    """The preview counts; the job shows how far it is; what the filter does not take stays."""
    for number in range(12):
        bench.accept(f"r_{number:02}", "good", dead="http_500")
    bench.accept("r_bad", "good", dead="bad_signature")
    flower = start()
    browser.open(f"{flower.url}/dead-letters?reason=http_500")
    browser.click("#requeue-all")
    browser.until("document.querySelector('#preview-total')?.innerText === '12'")
    shoot("requeue-all")
    browser.write("input[name=why]", "deployed a fix")
    browser.write("input[name=canary]", "2")
    browser.write("input[name=rate]", "0")
    browser.click("#requeue-start")
    browser.reads("0 of 12")
    bench.worker()
    browser.reads("12 requeued")
    shoot("jobs")

    browser.reads("deployed a fix")
    eventually(lambda: "done" == bench.record("r_11")["state"], "all are delivered")
    assert "dead" == bench.record("r_bad")["state"]
    assert [] == browser.complaints


def test_the_first_page_shows_the_fleet_now_and_lately(
    bench: Bench, start: Callable[..., Flower], browser: Browser, shoot: Callable[[str], None]
) -> None:
    """Without Prometheus: what was delivered, failed and how quickly; in charts, and in tables beside them."""
    flower = start()
    browser.open(flower.url)
    browser.reads("Nothing delivered yet")
    browser.reads("No worker is running")
    bench.worker(LEASE_S="8")
    bench.accept("r_bad", "not_found")
    for number in range(3):
        bench.accept(f"r_{number}", "good")
    browser.until("document.querySelector('#sums-table td[data-label=Delivered]')?.innerText === '3'")
    assert "1" == browser.run("document.querySelector('#dead .metric-value').innerText")
    assert "75 %" == browser.run("document.querySelector('#sums-table td[data-label=\"Success rate\"]').innerText")
    assert browser.run("document.querySelectorAll('#chart-throughput rect.longshore-dead').length") >= 1
    browser.run("document.querySelector('#chart-throughput summary').focus()")
    browser.press("Enter")
    browser.reads("Retries")
    first_row = "document.querySelector('#chart-throughput tbody tr').innerText.split(/\\s+/).slice(1).map(Number)"
    assert 1 <= max(browser.run(first_row)) <= 4
    first = browser.run("document.querySelector('#longshore-live').innerText")
    bench.accept("r_more", "good")
    browser.until(f"document.querySelector('#longshore-live').innerText !== {json.dumps(first)}")
    assert "SUMMARY" == browser.run("document.activeElement.tagName"), "a refresh leaves the focus where it was"

    browser.open(f"{flower.url}/targets")
    well = f"tr[data-target='{bench.targets.origin('good')}']"
    browser.until(f"document.querySelector(\"{well} td[data-label=Delivered]\")?.innerText === '4'")

    fill_a_day(open_ledger(bench.settings).ledger)
    browser.open(f"{flower.url}/overview?span=day")
    browser.until("document.querySelectorAll('#chart-latency g').length === 96")
    browser.until("document.querySelectorAll('#chart-latency tbody tr').length >= 95")
    browser.click("nav.longshore-spans a")
    browser.until("document.querySelectorAll('#chart-latency g').length === 60")
    shoot("overview")
    bench.accept("r_held", "good", ack_after_ms=3_600_000)
    browser.until("document.querySelector('#held .metric-value')?.innerText === '1'")
    stop_intake(open_ledger(bench.settings).ledger, "ann")
    for path in ("overview", "targets"):
        browser.open(f"{flower.url}/{path}")
        browser.reads("Intake is stopped by ann")
    assert [] == browser.complaints


def fill_a_day(ledger: Ledger) -> None:
    """What Redis holds after a day of the same for all pictures: some failures, a few slow deliveries."""
    choice, now_ms = random.Random(3), ledger.clock_ms()
    for unit, length_ms, count, scale in (("m", MINUTE_MS, HOUR_MINUTES, 1), ("q", QUARTER_MS, DAY_QUARTERS, 14)):
        for number in range(now_ms // length_ms - count + 1, now_ms // length_ms):
            delivered, dead = scale * choice.randint(18, 60), choice.choice((0, 0, 0, 0, 1, 2))
            durations = Counter(latency_field(choice.lognormvariate(4.6, 0.9)) for _ in range(delivered))
            counts: Any = {"accepted": delivered + dead, State.DONE: delivered, State.DEAD: dead, **durations}
            ledger.redis.hset(ledger.keys.activity(f"{unit}:{number}"), mapping=counts)


def test_flowers_list_of_tasks_fits_the_screen(bench: Bench, start: Callable[..., Flower], browser: Browser) -> None:
    """No column is cut off, the worker's neither, however long names are in a cluster."""
    flower = start()
    run = "r_with_quite_a_long_run_id_as_ports_are"
    celery = make_app(bench.settings)

    def is_known() -> bool:
        with celery.events.default_dispatcher(hostname="longshore-12345@agent-worker-7f9c6d8b5-abcde") as events:
            events.send("task-received", uuid=run, name="deliver https://deployer.platform.internal.example.com:443")
        return flower.get(f"/task/{run}", auth=tuple(LOGIN.split(":", 1))).ok

    eventually(is_known, "Flower knows the task")
    browser.open(f"{flower.url}/tasks")
    browser.until("document.querySelectorAll('#tasks-table tbody a').length > 0")
    assert browser.run("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.dataTables_scrollBody'))") <= 1
    cut_off = "[...document.querySelectorAll('#tasks-table td')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert 0 == browser.run(cut_off)


def test_many_targets_come_in_pages(bench: Bench, start: Callable[..., Flower], browser: Browser) -> None:
    """Whoever steers one stays on its page."""
    targets = open_ledger(bench.settings).targets
    for number in range(PAGE_SIZE + 5):
        targets.set(f"t{number:03}", "", TargetControl(concurrency=1))
    flower = start()
    browser.open(f"{flower.url}/targets")
    assert PAGE_SIZE == browser.run("document.querySelectorAll('#targets-table tbody tr').length")
    browser.click("a[rel=next]")
    row = "tr[data-target='t104']"
    browser.click(f"{row} button[value=pause]")
    browser.until(f"document.querySelector(\"{row}\")?.innerText.includes('paused')")
    assert 5 == browser.run("document.querySelectorAll('#targets-table tbody tr').length")
    assert not browser.run("document.querySelector('a[rel=next]')")
    assert [] == browser.complaints


def test_a_target_is_paused_limited_and_resumed(
    bench: Bench, start: Callable[..., Flower], browser: Browser, shoot: Callable[[str], None]
) -> None:
    """What comes meanwhile waits, and is seen to wait."""
    origin = bench.targets.origin("good")
    bench.accept("r_0", "error", dead="http_500")
    bench.accept("r_1", "good")
    flower = start()
    browser.open(f"{flower.url}/targets")
    row = f"tr[data-target='{origin}'][data-action='']"
    browser.click(f"{row} button[value=pause]")
    browser.until(f"document.querySelector(\"{row}\")?.innerText.includes('paused')")
    bench.worker()
    bench.accept("r_2", "good")
    browser.until(f"document.querySelector(\"{row} td[data-label=Waiting]\")?.innerText.trim() !== '0'")
    shoot("targets")
    browser.click(f"{row} details summary")
    browser.write(f"{row} input[name=rate]", "7.5")
    browser.click(f"{row} button[value=limit]")
    browser.until(f"document.querySelector(\"{row} td[data-label=Rate]\")?.innerText === '7.5/s'")
    assert "waiting" == bench.record("r_2")["state"]

    browser.click(f"{row} button[value=resume]")
    bench.ends("r_2", "done", "delivered")
    browser.until(f"!document.querySelector(\"{row}\")?.innerText.includes('paused')")
    assert [] == browser.complaints


def test_hostile_texts_are_shown_and_do_nothing(
    bench: Bench, start: Callable[..., Flower], browser: Browser, shoot: Callable[[str], None]
) -> None:
    """In payload, answer, run id, action, reason, actor: script tags, right-to-left, half characters, a megabyte."""
    method = {"type": "WEBHOOK", "agent": True, "url": f"{bench.targets.url('good')}/{LOUD}"}
    message = {
        "context": {"runId": "r_1"},
        "payload": {
            "action": {"invocationMethod": method},
            "properties": {"text": LOUD + ROUND, "big": "x" * 1_000_000},
        },
    }
    sealer = Sealer(bench.settings.port_client_secret)
    lane = f"{bench.targets.origin('good')} {LOUD}"
    bench.accept("r_1", "good", dead="http_500", lane=lane, payload=sealer.seal(json.dumps(message).encode()))
    attempt = {
        "generation": 1, "attempt": 1, "reason": LOUD, "cause": LOUD + ROUND, "status": 500, "sent": True,
        "duration_ms": 1.0, "response": f"</code></pre>{LOUD}{ROUND}\udcff" + "y" * 1_000_000,
    }  # fmt: skip
    ledger = open_ledger(bench.settings).ledger
    history: Any = [attempt, {"requeued_by": LOUD, "why": LOUD + ROUND, "at": 1.0, "replay": False}]
    for entry in history:
        ledger.redis.rpush(ledger.keys.attempts("r_1"), sealer.seal(json.dumps(entry).encode()))
    run = f"{LOUD}{ROUND}\udcff".encode("utf-8", "surrogatepass")
    ledger.redis.hset(ledger.keys.invocation("r_1"), mapping={"reason": LOUD, "run": run})
    flower = start()

    for path in (
        "overview",
        "dead-letters",
        "invocation/r_1",
        "targets",
        "jobs",
        "dead-letters/requeue",
        f"invocation/{LOUD}",
    ):
        browser.open(f"{flower.url}/{path}")
        browser.until("document.body.innerText.length > 20")
        assert "owned" != browser.run("document.title"), path
        assert 0 == browser.run("document.querySelectorAll('main img, main script').length"), path
        assert "\u202e" not in browser.text(), path
        assert browser.run("document.documentElement.outerHTML.length") < 300_000, path
    browser.open(f"{flower.url}/invocation/r_1")
    browser.reads("<script>document.title='owned'</script>")
    browser.reads("\\u202egpj.exe")
    browser.reads("more characters)")
    shoot("hostile")
    browser.open(f"{flower.url}/dead-letters?text={LOUD}&target={LOUD}&action={LOUD}&reason={LOUD}")
    assert "owned" != browser.run("document.title")
    assert not [each for each in browser.complaints if "404" not in each]


def test_flowers_own_pages_work_and_nothing_in_an_event_acts(
    bench: Bench, start: Callable[..., Flower], browser: Browser
) -> None:
    """Under a policy that runs no script of a page; whoever can write to Redis can send any event."""
    flower = start(FLOWER_TASKS_COLUMNS="name,uuid,state,args,kwargs,result,received,runtime,worker,exchange,exception")
    celery = make_app(bench.settings)
    login = tuple(LOGIN.split(":", 1))

    def send(**more: Any) -> None:
        texts = ("name", "args", "kwargs", "result", "exchange", "exception", "routing_key")
        hostile: dict[str, Any] = {name: [LOUD] for name in texts}
        with celery.events.default_dispatcher(hostname="celery@loud") as events:
            events.send("worker-heartbeat", freq=2, active=[LOUD], processed=1, loadavg=[LOUD], sw_ident=[LOUD])
            events.send("task-received", **({"uuid": "loud"} | hostile | more))
            events.send("task-succeeded", **({"uuid": "loud", "runtime": float("nan")} | hostile | more))

    def is_known() -> bool:
        send()  # until Flower listens
        return flower.get("/task/loud", auth=login).ok

    eventually(is_known, "Flower knows the task")
    send(uuid=[LOUD], runtime=[LOUD], received={"a": LOUD})
    for path in ("workers", "tasks", "task/loud", "dead-letters"):
        browser.open(f"{flower.url}/{path}")
        browser.until("document.body.innerText.length > 20")
        if path == "workers":
            browser.reads("celery@loud")
        if path == "tasks":
            browser.until("document.querySelectorAll('#tasks-table tbody tr').length === 2")
            browser.reads("[\"<script>document.title='owned'")
        assert "owned" != browser.run("document.title"), path
        assert 0 == browser.run("document.querySelectorAll('main img, main script').length"), path
        assert [] == browser.complaints, path
    browser.open(f"{flower.url}/nothing-here")
    browser.reads("page not found")
    assert 1 == len(browser.complaints), "that there is none"


def test_a_narrow_screen_shows_all_without_scrolling_aside(
    bench: Bench, start: Callable[..., Flower], browser: Browser
) -> None:
    """A phone, woken by a pager; and whatever one is called, the bar has room for it."""
    for number in range(3):
        bench.accept(f"r_{number}_with_quite_a_long_run_id_as_ports_are", "good", dead="http_500")
    login = f"{'a-long-name-' * 5}@acme.io:secret"
    flower = start(FLOWER_BASIC_AUTH=login, FLOWER_OPERATORS="ann")
    browser.log_in(login)
    for width in (360, 768, 1000, 1280):
        browser.look(width, 800)
        for path in ("overview", "dead-letters", "targets", "jobs", "dead-letters/requeue",
                     "invocation/r_0_with_quite_a_long_run_id_as_ports_are"):  # fmt: skip
            browser.open(f"{flower.url}/{path}")
            assert browser.run("document.documentElement.scrollWidth") <= width, (path, width)


def test_both_themes_are_flowers_own(bench: Bench, start: Callable[..., Flower], browser: Browser) -> None:
    """Light and dark: our cards have the colours of Flower's."""
    bench.accept("r_1", "good", dead="http_500")
    flower = start()
    colours = []
    for dark in (False, True):
        browser.look(dark=dark)
        browser.open(f"{flower.url}/dead-letters")
        colours.append(browser.run("getComputedStyle(document.querySelector('.tasks-table-card')).backgroundColor"))
    assert ["rgb(255, 255, 255)", "rgb(27, 34, 25)"] == colours
