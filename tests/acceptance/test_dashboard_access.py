"""Who may see and do what in Flower, over HTTP: logins, tokens, foreign sites, read-only mode; and the JSON API."""

import json
import re
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from flower.urls import handlers as flower_handlers
from flower.views.error import NotFoundErrorHandler
from flower.views.tasks import TasksDataTable
from tornado.routing import URLSpec
from tornado.web import RequestHandler

from longshore.dashboard.app import HANDLERS
from longshore.log import events
from longshore.runtime.embedded_redis import free_port
from tests.support.flower import Flower
from tests.support.oidc_server import CLIENT, OidcServer
from tests.support.warm import longshore

from .conftest import Bench

LOGIN = ("ann", "pass:word")


@pytest.fixture
def start(bench: Bench) -> Iterator[Callable[..., Flower]]:
    """Starts Flowers beside the bench."""
    flowers: list[Flower] = []

    def start(**environ: str) -> Flower:
        flowers.append(Flower(bench.folder, **bench.environ, **environ))
        return flowers[-1]

    yield start
    for flower in flowers:
        flower.close()


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("/api/longshore/requeue", {"ids": ["r_1"], "why": "test"}),
    ("/api/longshore/requeue", {"all": True, "why": "test"}),
    ("/api/longshore/targets/pause", {"target": "http://a:80"}),
    ("/api/longshore/targets/resume", {"target": "http://a:80"}),
    ("/api/longshore/targets/limit", {"target": "http://a:80", "rate": 1}),
    ("/api/longshore/jobs/x/pause", {}),
    ("/api/longshore/jobs/x/resume", {}),
]
FORMS: list[tuple[str, dict[str, str]]] = [
    ("/dead-letters", {"pick": "1:r_1", "why": "test"}),
    ("/dead-letters/requeue", {"why": "test"}),
    ("/invocation/r_1", {"generation": "1", "why": "test"}),
    ("/targets", {"target": "http://a:80", "do": "pause"}),
    ("/jobs", {"job": "x", "do": "pause"}),
]
NO_CHANGES = (TasksDataTable, NotFoundErrorHandler)
"""Handlers that answer POST and change nothing."""


def list_changes() -> Iterator[tuple[str, str]]:
    """Method and an address of every route that takes more than GET: ours, and whatever there is of Flower's."""
    for route in (*HANDLERS, *(URLSpec(*each) if isinstance(each, tuple) else each for each in flower_handlers)):
        for method in ("post", "put", "patch", "delete"):
            is_there = getattr(route.handler_class, method) is not getattr(RequestHandler, method)
            if is_there and route.handler_class not in NO_CHANGES:
                path = re.sub(r"\((\w*)[^)]*\)", lambda group: group[1] or "x", route.regex.pattern.rstrip("$"))
                yield method.upper(), path


VIEWS = (
    "/", "/overview", "/api/longshore/overview",
    "/dead-letters", "/dead-letters/requeue", "/dead-letters/export", "/invocation/r_1", "/invocation?id=r_1",
    "/targets", "/jobs", "/api/longshore/letters", "/api/longshore/letters/counts", "/api/longshore/letters/export",
    "/api/longshore/invocations/r_1", "/api/longshore/targets", "/api/longshore/jobs", "/api/longshore/jobs/x",
    "/api/longshore/status", "/api/longshore/nothing",
)  # fmt: skip


def test_without_the_right_login_nothing_is_shown_and_nothing_done(bench: Bench, start: Callable[..., Flower]) -> None:
    """401 everywhere; with it, a change from a page needs its token, and one from a program does not."""
    bench.accept("r_1", "good", dead="http_500")
    flower = start(FLOWER_BASIC_AUTH=":".join(LOGIN))

    for wrong in (None, ("ann", "wrong"), ("", "")):
        assert {401} == {flower.get(path, auth=wrong).status_code for path in VIEWS}
        assert {401} == {flower.post(path, json=body, auth=wrong).status_code for path, body in CHANGES}
        assert {401} == {flower.post(path, data=form, auth=wrong).status_code for path, form in FORMS}
    assert {403} == {flower.post(path, data=form, auth=LOGIN).status_code for path, form in FORMS}
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert {403} == {flower.post(path, json=body, auth=LOGIN, headers=foreign).status_code for path, body in CHANGES}
    other = {"Origin": "http://evil.example"}
    assert {403} == {flower.post(path, json=body, auth=LOGIN, headers=other).status_code for path, body in CHANGES}
    # What a form of a foreign page could send.
    text = {"Content-Type": "text/plain"}
    path, body = CHANGES[0]
    assert 403 == flower.post(path, data=json.dumps(body), auth=LOGIN, headers=text).status_code
    assert "dead" == bench.record("r_1")["state"]

    answer = flower.post(path, json=body, auth=LOGIN)
    assert [{"id": "r_1", "outcome": "requeued"}] == answer.json()["results"]
    assert "2" == bench.record("r_1")["generation"]
    (note,) = flower.get("/api/longshore/invocations/r_1", auth=LOGIN).json()["history"]
    assert ("ann", "test") == (note["requeued_by"], note["why"])
    assert f"event={events.OPERATOR_REQUEUED.name}" in flower.log()
    assert "actor=ann" in flower.log()
    assert "pass:word" not in flower.log()


def test_without_a_login_on_loopback_changes_need_a_token_and_our_own_name(
    bench: Bench, start: Callable[..., Flower]
) -> None:
    """A foreign page in the browser of whoever is on call is still a foreign page."""
    bench.accept("r_1", "good", dead="http_500")
    flower = start()
    path, body = CHANGES[0]

    assert {403} == {flower.post(path, json=body).status_code for path, body in CHANGES}
    assert {403} == {flower.post(path, data=form).status_code for path, form in FORMS}
    forged = {"Authorization": "Basic eDp5"}
    assert 403 == flower.post(path, json=body, headers=forged).status_code
    token = {"Cookie": "_xsrf=0123456789abcdef", "X-Xsrftoken": "0123456789abcdef"}
    assert 403 == flower.post(path, json=body, headers=token | {"Host": "evil.example"}).status_code
    assert 403 == flower.post(path, json=body, headers=token | {"Sec-Fetch-Site": "same-site"}).status_code
    assert "dead" == bench.record("r_1")["state"]

    assert 200 == flower.post(path, json=body, headers=token).status_code
    (note,) = flower.get("/api/longshore/invocations/r_1").json()["history"]
    assert "anonymous" == note["requeued_by"]


def test_no_page_answers_to_a_foreign_name_or_a_foreign_site(bench: Bench, start: Callable[..., Flower]) -> None:
    """Whatever the method, Flower's own pages and files too; and no answer may be framed, or run what is not ours."""
    flower = start(FLOWER_UNAUTHENTICATED_API="true", FLOWER_HOSTS="ours.example")
    paths = ("/", "/tasks", "/broker", "/metrics", "/healthcheck", "/static/js/flower.js", "/api/workers", "/api/tasks",
             "/api/task/types", "/dead-letters", "/api/longshore/status", "/longshore/static/longshore.js",
             "/nothing")  # fmt: skip
    foreign: list[dict[str, str]] = [
        {"Host": "evil.example"},
        {"Host": "evil.example:80", "Origin": "http://evil.example:80", "X-Forwarded-Host": "localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "null", "Upgrade": "websocket", "Connection": "Upgrade"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    ]
    for path in paths:
        assert 403 != flower.get(path).status_code
        for headers in foreign:
            answer = flower.get(path, headers=headers)
            assert (403, path) == (answer.status_code, path)
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert {403} == {flower.ask(method, path, headers=foreign[0]).status_code for path in paths}
    assert flower.get("/dead-letters", headers={"Host": "ours.example"}).ok
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert flower.get("/dead-letters", headers=link).ok
    for path in paths:
        answer = flower.get(path)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_logins_have_any_letters_and_bodies_an_end(bench: Bench, start: Callable[..., Flower]) -> None:
    """What is not the login is 401, whatever bytes it has; a long body is not read before that is known."""
    login = "jürgen:pässwörd".encode()
    flower = start(FLOWER_BASIC_AUTH=login.decode(), FLOWER_FORWARDED_HOST="true")

    def headers(credentials: bytes) -> dict[str, str]:
        return {"Authorization": f"Basic {b64encode(credentials).decode()}"}

    for path in ("/tasks", "/dead-letters", "/api/tasks", "/api/longshore/status"):
        assert 200 == flower.get(path, headers=headers(login)).status_code
        for wrong in (b"jurgen:passwort", "jürgen:p".encode(), b"\xff\xfe:\x00", b"", b":"):
            assert 401 == flower.get(path, headers=headers(wrong)).status_code
    ours = {"X-Forwarded-Host": "ours.example", "Origin": "https://ours.example"}
    assert 404 == flower.post("/api/longshore/jobs/x/pause", json={}, headers=headers(login) | ours).status_code
    theirs = {"X-Forwarded-Host": "ours.example", "Origin": "https://evil.example"}
    assert 403 == flower.post("/api/longshore/jobs/x/pause", json={}, headers=headers(login) | theirs).status_code
    with socket.create_connection(("127.0.0.1", int(flower.url.rpartition(":")[2])), timeout=60) as client:
        client.sendall(b"POST /dead-letters HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n")
        assert b" 400 " in client.recv(100)


@pytest.mark.parametrize("login", ["", "ann:pass,", "ann:", "ann:pa,ss"])
def test_a_login_that_lets_in_somebody_without_one_stops_the_start(bench: Bench, login: str) -> None:
    """Exit code 78, and what to do; `config check` says it before, for whatever program."""
    environ = bench.environ | {"FLOWER_BASIC_AUTH": login, "FLOWER_PORT": str(free_port())}
    for command in (["flower"], ["config", "check"]):
        ended = longshore(*command, folder=bench.folder, **environ)
        assert 78 == ended.returncode
        assert "FLOWER_BASIC_AUTH" in ended.stderr
        assert "name:password" in ended.stderr


def test_python_in_the_working_directory_is_not_run(bench: Bench, start: Callable[..., Flower]) -> None:
    """Anybody may have put a `flowerconfig.py` there; one that FLOWER_CONF names is meant."""
    (bench.folder / "flowerconfig.py").write_text("open('run', 'w')\nread_only = True\n")
    environ = {"FLOWER_BASIC_AUTH": ":".join(LOGIN), "FLOWER_URL_PREFIX": "ops"}
    flower = start(**environ)

    assert not (flower.home / "run").exists()
    answer = flower.get("/ops", auth=LOGIN)
    assert (302, "/ops/") == (answer.status_code, answer.headers["Location"])
    assert "/ops/overview" == flower.get("/ops/", auth=LOGIN).headers["Location"]
    assert 200 == flower.get("/ops/overview", auth=LOGIN).status_code
    flower = start(FLOWER_CONF="flowerconfig.py", **environ)
    assert 403 == flower.post("/ops/api/longshore/jobs/x/pause", json={}, auth=LOGIN).status_code
    assert (flower.home / "run").exists()


def test_in_read_only_mode_everything_is_shown_and_nothing_can_be_done(
    bench: Bench, start: Callable[..., Flower]
) -> None:
    """403, and no buttons."""
    bench.accept("r_1", "good", dead="http_500")
    flower = start(FLOWER_BASIC_AUTH=":".join(LOGIN), FLOWER_READ_ONLY="true")
    with requests.Session() as session:
        session.trust_env, session.auth = False, LOGIN
        page = session.get(flower.url + "/invocation/r_1")
        token = session.cookies["_xsrf"]
        answers = {session.post(flower.url + path, data=form | {"_xsrf": token}).status_code for path, form in FORMS}

    assert {403} == answers
    assert {403} == {flower.post(path, json=body, auth=LOGIN).status_code for path, body in CHANGES}
    assert "dead" == bench.record("r_1")["state"]
    assert "requeue-form" not in page.text
    assert {200} == {flower.get(f"/{tab}", auth=LOGIN).status_code for tab in ("dead-letters", "targets", "jobs")}


def test_a_viewer_sees_everything_and_changes_nothing_of_flowers_own_either(
    bench: Bench, start: Callable[..., Flower]
) -> None:
    """403 with the reason, and no buttons; an operator of the same Flower can; both are told apart in the log."""
    bench.accept("r_1", "good", dead="http_500")
    viewer, stranger = ("vic", "see"), ("sam", "who")
    logins = ",".join(":".join(login) for login in (LOGIN, viewer, stranger))
    flower = start(FLOWER_BASIC_AUTH=logins, FLOWER_OPERATORS="Ann", FLOWER_VIEWERS="vic,group:all")
    with requests.Session() as session:
        session.trust_env, session.auth = False, viewer
        page = session.get(flower.url + "/invocation/r_1")
        token = session.cookies["_xsrf"]
        answers = [session.post(flower.url + path, data=form | {"_xsrf": token}) for path, form in FORMS]
        answers += [session.post(flower.url + path, json=body) for path, body in CHANGES]
        routes = list(list_changes())
        answers += [session.request(method, flower.url + path, data={"_xsrf": token}) for method, path in routes]

    assert {("POST", "/api/worker/shutdown/x"), ("POST", "/api/longshore/jobs/x/pause")} <= set(routes)
    assert {200} == {flower.get(path, auth=viewer).status_code for path in ("/dead-letters", "/targets", "/api/tasks")}
    assert "requeue-form" not in page.text
    assert "<span>vic</span> (viewer)" in page.text
    assert "vic is a viewer" in flower.get("/dead-letters/requeue", auth=viewer).text
    assert {403} == {answer.status_code for answer in answers}
    assert all("vic is a viewer: ask an operator" in answer.text for answer in answers)
    assert "dead" == bench.record("r_1")["state"]
    refused = flower.get("/dead-letters", auth=stranger)
    assert (403, True) == (refused.status_code, "sam is neither in FLOWER_OPERATORS" in refused.text)

    page = flower.get("/invocation/r_1", auth=LOGIN)
    assert "requeue-form" in page.text
    assert "<span>ann</span> (operator)" in page.text
    assert {404} == {flower.post(path, auth=LOGIN).status_code for _, path in routes if path.startswith("/api/worker/")}
    assert flower.post("/api/longshore/requeue", json=CHANGES[0][1], auth=LOGIN).ok
    (note,) = flower.get("/api/longshore/invocations/r_1", auth=LOGIN).json()["history"]
    assert ("ann", "operator") == (note["requeued_by"], note["role"])
    assert "by ann (operator): test" in flower.get("/invocation/r_1", auth=LOGIN).text
    lines = flower.log().splitlines()
    refusals = [one for one in lines if events.DASHBOARD_CHANGE_REFUSED.name in one]
    assert len(answers) == len(refusals)
    assert all({"actor=vic", "role=viewer"} <= set(line.split()) for line in refusals)
    (line,) = [one for one in lines if events.DASHBOARD_CHANGE_REQUESTED.name in one and "worker/shutdown" in one]
    assert {"actor=ann", "role=operator"} <= set(line.split())


def test_people_log_in_with_a_provider_and_their_groups_say_what_they_may(
    bench: Bench, start: Callable[..., Flower]
) -> None:
    """As a browser does it: to the provider and back, with a cookie jar, to the page that was asked for."""
    bench.accept("r_1", "good", dead="http_500")
    with OidcServer() as provider:
        port = str(free_port())
        provider.redirect_uri = f"http://127.0.0.1:{port}/login"
        flower = start(
            FLOWER_PORT=port, FLOWER_OIDC_ISSUER=provider.issuer, FLOWER_AUTH=".*@acme.io",
            FLOWER_OAUTH2_KEY=CLIENT[0], FLOWER_OAUTH2_SECRET=CLIENT[1], FLOWER_OPERATORS="group:sre",
            FLOWER_OAUTH2_REDIRECT_URI=provider.redirect_uri, FLOWER_OIDC_GROUPS_CLAIM="teams",
        )  # fmt: skip

        def log_in(**user: Any) -> tuple[requests.Session, requests.Response]:
            provider.user = {"email_verified": True} | user
            browser = requests.Session()
            browser.trust_env = False
            return browser, browser.get(f"{flower.url}/invocation/r_1?a=1&b=2", timeout=60)

        browser, page = log_in(email="ann@acme.io", teams=["all", "sre"])
        assert (200, f"{flower.url}/invocation/r_1?a=1&b=2") == (page.status_code, page.url)
        assert "requeue-form" in page.text
        form = {"generation": "1", "why": "it is back", "_xsrf": browser.cookies["_xsrf"]}
        assert browser.post(f"{flower.url}/invocation/r_1", data=form).ok
        (note,) = browser.get(f"{flower.url}/api/longshore/invocations/r_1").json()["history"]
        assert ("ann@acme.io", "operator") == (note["requeued_by"], note["role"])
        for there in ("/\t\\evil.example", "//evil.example", "/\\evil.example", "https://evil.example/"):
            address = f"{flower.url}/login?{urlencode({'next': there})}"
            for _ in ("to the provider", "back", "on"):
                address = browser.get(address, allow_redirects=False).headers["Location"]
            # As a browser reads it.
            assert not address.replace("\t", "").replace("\\", "/").startswith(("//", "https:")), there
        browser.close()

        browser, page = log_in(email="vic@acme.io", teams="all")
        assert (200, False) == (page.status_code, "requeue-form" in page.text)
        form["_xsrf"] = browser.cookies["_xsrf"]
        assert 403 == browser.post(f"{flower.url}/invocation/r_1", data=form).status_code
        shutdown = browser.post(f"{flower.url}/api/worker/shutdown/x", headers={"X-XSRFToken": form["_xsrf"]})
        assert (403, True) == (shutdown.status_code, "vic@acme.io is a viewer" in shutdown.text)
        # Nobody is logged in with an answer that was meant for another login.
        assert 302 == browser.get(f"{flower.url}/login", allow_redirects=False).status_code
        forged = browser.get(f"{flower.url}/login", params={"code": "x", "state": "é"})
        assert (403, True) == (forged.status_code, "belongs to no login of this browser" in forged.text)
        browser.close()

        for user, problem in (
            ({"email": "eve@evil.io"}, "FLOWER_AUTH"), ({"email": "ann@acme.io", "email_verified": False}, "verified"),
            ({}, "verified"), ({"email": "x\ngroup@acme.io"}, "FLOWER_AUTH"),
        ):  # fmt: skip
            browser, page = log_in(**user)
            assert (403, True) == (page.status_code, problem in page.text)
            assert "user" not in browser.cookies
            browser.close()
        provider.denies = "access_denied"
        browser, page = log_in(email="ann@acme.io")
        assert (403, True) == (page.status_code, "access_denied" in page.text)
        browser.close()
    log = flower.log()
    assert f"event={events.DASHBOARD_LOGIN_ACCEPTED.name}" in log
    assert f"event={events.DASHBOARD_LOGIN_REFUSED.name}" in log
    assert not any(secret in log for secret in (CLIENT[1], "code=", "let-me-in"))


def test_beyond_this_machine_it_starts_only_with_a_login_or_when_told_so(
    bench: Bench, start: Callable[..., Flower]
) -> None:
    """Exit code 78, and what to do."""
    elsewhere = bench.environ | {"FLOWER_ADDRESS": "0.0.0.0", "FLOWER_PORT": str(free_port())}
    ended = longshore("flower", folder=bench.folder, **elsewhere)

    assert 78 == ended.returncode
    assert "FLOWER_BASIC_AUTH" in ended.stderr
    assert "FLOWER_INSECURE" in ended.stderr
    for allowed in ({"FLOWER_BASIC_AUTH": ":".join(LOGIN)}, {"FLOWER_INSECURE": "true"}):
        start(FLOWER_ADDRESS="0.0.0.0", **allowed).close()


def test_the_api_lists_counts_exports_and_steers(bench: Bench, start: Callable[..., Flower]) -> None:
    """All of the pages, as JSON; and nothing sealed or secret in it."""
    for number in range(7):
        bench.accept(f"r_{number}", "good", dead="http_500" if number % 2 else "bad_signature")
    target = bench.record("r_0")["target"]
    flower = start(FLOWER_BASIC_AUTH=":".join(LOGIN), FLOWER_URL_PREFIX="flowers")
    api = "/flowers/api/longshore"

    def get(path: str, **query: Any) -> Any:
        return flower.get(f"{api}{path}", params=query, auth=LOGIN).json()

    def post(path: str, **body: Any) -> requests.Response:
        return flower.post(f"{api}{path}", json=body, auth=LOGIN)

    first = get("/letters", limit=5)
    rest = get("/letters", limit=5, after=first["after"])
    assert (5, 2, None) == (len(first["letters"]), len(rest["letters"]), rest["after"])
    assert 4 == get("/letters/counts", reason="bad_signature")["total"]
    lines = flower.get(f"{api}/letters/export", params={"reason": "http_500"}, auth=LOGIN).text.splitlines()
    assert {"r_1", "r_3", "r_5"} == {json.loads(line)["id"] for line in lines}
    assert "s3cret-value" not in json.dumps([first, rest, get("/invocations/r_1")])
    assert 404 == flower.get(f"{api}/invocations/none", auth=LOGIN).status_code
    assert "error" in get("/letters", since="soon")

    dry = post("/requeue", all=True, filter={"reason": "http_500"}, dry_run=True).json()
    assert (True, 3) == (dry["dry_run"], dry["total"])
    dry = post("/requeue", all=True, filter={}, dry_run=True).json()
    assert (3, 4, ["http_500"]) == (dry["total"], dry["left_out"], [each["reason"] for each in dry["counts"]])
    preview = flower.get("/flowers/dead-letters/requeue", auth=LOGIN).text
    assert "4 with a bad signature are left out" in preview
    assert 409 == post("/requeue", all=True, why="test", cap=2).status_code
    assert 400 == post("/requeue", all=True, why="test", filter={"raeson": "http_500"}).status_code
    assert 400 == post("/requeue", all=True, filter={"reason": "http_500"}).status_code
    job = post("/requeue", all=True, why="test", filter={"reason": "http_500"}, rate=1000).json()
    assert (3, "ann", "running") == (job["total"], job["actor"], job["state"])
    assert "paused" == post(f"/jobs/{job['id']}/pause").json()["state"]
    assert [job["id"]] == [each["id"] for each in get("/jobs")["jobs"]]
    assert "running" == post(f"/jobs/{job['id']}/resume").json()["state"]

    assert post("/targets/pause", target=target).json()["paused"]
    assert (2.5, None) == (
        (gate := post("/targets/limit", target=target, rate=2.5).json())["rate"],
        gate["concurrency"],
    )
    (line,) = [each for each in get("/targets")["targets"] if each["target"] == target and not each["lane"]]
    assert (True, 2.5) == (line["control"]["paused"], line["rate"])
    assert not post("/targets/resume", target=target).json()["paused"]
    assert 7 == get("/status")["dead_letters"]


def test_without_redis_it_starts_says_so_and_comes_back(bench: Bench, start: Callable[..., Flower]) -> None:
    """Whoever is on call looks here first."""
    bench.accept("r_1", "good", dead="http_500")
    bench.redis.stop()
    flower = start()

    pages = [flower.get(f"/{tab}") for tab in ("dead-letters", "targets", "jobs", "invocation/r_1")]
    assert {503} == {page.status_code for page in pages}
    assert all("Redis does not answer" in page.text for page in pages)
    assert "Redis does not answer" in flower.get("/api/longshore/status").json()["error"]
    bench.redis.start()
    bench.redis.wait_ready()
    flower.answers("/dead-letters")
    assert "r_1" in flower.get("/dead-letters").text


def test_without_the_client_secret_the_clear_facts_are_shown_and_nothing_is_requeued(
    bench: Bench, start: Callable[..., Flower]
) -> None:
    """Flower can be run without any credentials of Port."""
    bench.accept("r_1", "good", dead="http_500")
    del bench.environ["PORT_CLIENT_SECRET"]
    flower = start(FLOWER_BASIC_AUTH=":".join(LOGIN))

    page = flower.get("/invocation/r_1", auth=LOGIN).text
    assert "without PORT_CLIENT_SECRET" in page
    assert "requeue-form" not in page
    assert 409 == flower.post("/api/longshore/requeue", json=CHANGES[0][1], auth=LOGIN).status_code
