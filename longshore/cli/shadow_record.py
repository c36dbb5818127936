"""`longshore shadow record`: what the original agent sends, written down by a proxy that passes it on."""

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from config.settings import Settings
from longshore.cli import terminal
from longshore.cli.shadow_start import as_unwritable, describe_counts, start
from longshore.errors import ConfigError

PROGRESS_S = 10.0


def record(
    out: Annotated[Path, typer.Option(help="The file of lines to append to.")] = Path("recorded.jsonl"),
    listen: Annotated[str, typer.Option(help="HOST:PORT to listen at.")] = "127.0.0.1:8899",
    ca_cert: Annotated[
        Path | None, typer.Option(help="A CA that the agent trusts (PEM): opens what is sent over TLS.")
    ] = None,
    ca_key: Annotated[Path | None, typer.Option(help="Its private key, without a password (PEM).")] = None,
) -> None:
    """Write down what the original agent sends, as a proxy that passes all of it on.

    Point HTTP_PROXY and HTTPS_PROXY of the original agent at it. What goes over TLS passes unseen unless a CA is given
    that the agent trusts. No value is in the file, only fingerprints and the encrypted answers of the targets. Ctrl-C
    ends it with a summary.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise typer.BadParameter("give HOST:PORT", param_hint="--listen")
    if (ca_cert is None) != (ca_key is None):
        raise typer.BadParameter("give both, or none", param_hint="--ca-cert, --ca-key")
    with ExitStack() as stack:
        settings = stack.enter_context(start())
        from longshore.operations.shadow.line_file import LineFile

        if any(os.environ.get(name) for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")):
            terminal.say("HTTP_PROXY or HTTPS_PROXY is set here: it is not used, the proxy connects directly.")
        stack.enter_context(as_unwritable(out))
        file = stack.enter_context(LineFile(out))
        asyncio.run(_serve(settings, host.strip("[]"), int(port), file, ca_cert, ca_key))


async def _serve(
    settings: Settings, host: str, port: int, file: Any, ca_cert: Path | None, ca_key: Path | None
) -> None:
    """Run the proxy until a signal comes. Raises OSError where the file cannot be written to."""
    from longshore.operations.shadow.authority import Authority
    from longshore.operations.shadow.lines import Lines
    from longshore.operations.shadow.proxy import Proxy
    from longshore.operations.shadow.recorder import Recorder
    from longshore.operations.shadow.recording import Recording

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    failures: list[OSError] = []

    def fail(error: OSError) -> None:
        failures.append(error)
        stop.set()

    recording = Recording(Lines(settings.secrets, "original"), settings.port_api_base_url)
    recorder = Recorder(recording, file, settings.response_max_bytes, fail)
    authority = Authority(ca_cert, ca_key) if ca_cert and ca_key else None
    port_host = urlsplit(settings.port_api_base_url).hostname
    # As both agents: WEBHOOK_VERIFY_SSL is for webhooks alone.
    proxy = Proxy(
        recorder.note_passage,
        recorder.note_tunnel,
        authority,
        lambda name: settings.webhook_verify_ssl or name == port_host,
    )
    try:
        number = proxy.listen(host, port)
    except OSError as error:
        raise ConfigError("--listen", f"{host}:{port} cannot be used ({error.strerror})", "Give another") from None
    for number_of_signal in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number_of_signal, stop.set)
    terminal.say(f"Recording proxy at {host}:{number}.")
    if authority is None:
        terminal.say("Without --ca-cert, what is sent over TLS passes through unseen.")
    last_text = ""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), PROGRESS_S)
        except TimeoutError:
            if (text := describe_counts(recorder.counts + recorder.tunnels)) != last_text:
                terminal.say(last_text := text)
    if failures:
        raise failures[0]
    terminal.say(f"Ended. {describe_counts(recorder.counts)}")
    for place, count in recorder.tunnels.most_common():
        terminal.say(f"Passed on unseen: {count} connections to {place}.")
