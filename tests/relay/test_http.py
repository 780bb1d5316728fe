"""Requests to addresses somebody typed in: not into our network, not elsewhere, not for ever."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.listening import listening
from patrolvision.errors import ConfigError, DeliveryError
from patrolvision.relay.http import HttpLimits, address_of, checked_url, is_public, send

HERE = HttpLimits(allow_private=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # where clouds keep their machines' secrets
        "100.64.0.1",  # a carrier's network
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",  # loopback, written as IPv6
        "2002:7f00:1::",  # loopback through 6to4
        "64:ff9b::a9fe:a9fe",  # 169.254.169.254 through NAT64
        "64:ff9b:1::7f00:1",  # NAT64 of one's own
        "::127.0.0.1",  # loopback, as IPv6 once wrote it
        "fec0::1",  # site-local
        "192.0.0.8",
    ],
)
def test_an_address_of_our_own_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://city.example/x",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://user:pass@city.example/",
        "http://city.example:99999/",
        "http://city.example/a b",
        "http://city.example/\r\nX: y",
        "http://ciudad.ñ/",
        "//city.example",
        "",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        checked_url(url)


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "2130706433", "127.1"])
def test_a_name_of_loopback_is_found_out(host: str) -> None:
    with pytest.raises(DeliveryError):
        address_of(f"http://{host}/")


def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(DeliveryError, match="private network"):
        address_of("https://city.example/", resolve=lambda *_: ["93.184.216.34", "10.0.0.1"])


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    with listening() as neighbour:
        port = int(neighbour.url.rpartition(":")[2])
        answers = iter([["127.0.0.1"], ["192.0.2.1"]])  # a second look-up would go elsewhere
        url = f"http://city.example:{port}/in?x=1"
        send("POST", url, body=b"{}", limits=HERE, resolve=lambda *_: next(answers))
    [request] = neighbour.requests
    assert request.headers["host"] == f"city.example:{port}"
    assert request.path == "/in?x=1"


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with listening() as neighbour:
        neighbour.answer = lambda r: (302, {"Location": f"{neighbour.url}/elsewhere"}, b"")
        assert send("GET", neighbour.url, limits=HERE).status == 302
    assert len(neighbour.requests) == 1


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    with listening() as neighbour:
        neighbour.answer = lambda r: (200, {}, b"x" * 100_000)
        limits = HttpLimits(allow_private=True, answer_bytes=100)
        assert send("GET", neighbour.url, limits=limits).body == b"x" * 100


def test_a_neighbour_that_drips_is_cut_off() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"X-More: 1\r\n")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    limits = HttpLimits(allow_private=True, connect_s=1.0, total_s=0.4)
    started = time.monotonic()
    try:
        with pytest.raises(DeliveryError) as caught:
            send("GET", f"http://127.0.0.1:{server.getsockname()[1]}/", limits=limits)
    finally:
        stop.set()
        thread.join()
        server.close()
    assert caught.value.is_down
    assert time.monotonic() - started < 3.0


def test_a_neighbour_that_is_not_there_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DeliveryError) as caught:
        send("GET", f"http://127.0.0.1:{port}/", limits=HERE)
    assert caught.value.is_down


def test_a_message_that_is_too_long_is_not_sent() -> None:
    limits = HttpLimits(allow_private=True, request_bytes=10)
    with pytest.raises(DeliveryError, match="longer than 10 bytes"):
        send("POST", "http://127.0.0.1:9/", body=b"x" * 11, limits=limits)


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """A server with a certificate for city.example, which lies in tmp_path as cert.pem."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("TLS: openssl is not there to make a certificate; apt-get install openssl")
    cert, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
        "/CN=city.example", "-addext", "subjectAltName=DNS:city.example", "-keyout", str(secret),
        "-out", str(cert),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, secret)
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(5)

    def answer() -> None:
        with contextlib.suppress(OSError):  # a client that does not trust it goes away
            plain, _ = server.accept()
            with plain, context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    thread = threading.Thread(target=answer)
    thread.start()
    yield server.getsockname()[1]
    thread.join()
    server.close()


def over_tls(host: str, port: int) -> bytes:
    url = f"https://{host}:{port}/"
    return send("GET", url, limits=HERE, resolve=lambda *_: ["127.0.0.1"]).body


def test_a_certificate_of_the_name_is_trusted_whatever_the_address(
    tls_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert over_tls("city.example", tls_port) == b"ok"


def test_a_certificate_of_another_name_is_not(
    tls_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with pytest.raises(DeliveryError, match="doesn't match"):
        over_tls("other.example", tls_port)


def test_a_certificate_that_nobody_vouches_for_is_not(tls_port: int) -> None:
    with pytest.raises(DeliveryError, match="certificate"):
        over_tls("city.example", tls_port)
