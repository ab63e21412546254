"""Whatever comes, the API answers it with a problem, leaks nothing, and goes on answering others."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio
import psycopg2
import pytest
from historian_api import NP15, Client, asked_here, kept
from historian_parts import IN_SCHEMA
from real_mosquitto import free_port
from real_postgres import query
from starlette.requests import Request
from starlette.types import Message
from waiting import eventually

from dotbus.testing import samples
from dotbus.web import connections as web_connections
from historian.api import connections
from historian.api.exchange.while_there import Work, while_there
from historian.api.questions.nodes import nodes
from historian.api.reading import Reading, Stopped
from historian.api.request.pages import next_page

pytestmark = pytest.mark.integration

OF_OURS = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dotbus historian-api' AND datname = current_database()"
)
ASKING = f"{OF_OURS} AND state = 'active'"
DAY = {"node": NP15, "start": "2026-10-13"}


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Whoever reads the table waits meanwhile."""
    connection = psycopg2.connect(url + IN_SCHEMA)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        connection.close()


def raw(client: Client, sent: bytes, *, within_s: float = 10.0) -> bytes:
    """What is answered to bytes."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=within_s) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        answer = b""
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
        return answer


def head(*lines: str) -> bytes:
    return "\r\n".join(["GET /v1/prices HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *lines, "", ""]).encode()


def test_a_client_that_goes_away_in_the_middle_has_its_statement_cancelled_at_the_database(database: str):
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        with locked(url, "price"):
            with socket.create_connection(("127.0.0.1", client.port)) as gone:
                gone.sendall(head())
                eventually(lambda: query(url, ASKING) == [(1,)])
            eventually(lambda: query(url, ASKING) == [(0,)])
        assert client.ask("/v1/prices", **DAY).status_code == 200


def test_clients_that_go_away_before_their_turn_are_never_asked_for(database: str):
    with kept(database, samples.prices()) as url, asked_here(url, connections=1) as client:
        with locked(url, "price"):
            waiting = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(20)]
            for one in waiting:
                one.sendall(head())
            eventually(lambda: query(url, ASKING) == [(1,)])
            for one in waiting:
                one.close()
            eventually(lambda: query(url, ASKING) == [(0,)])
        assert client.ask("/v1/prices", **DAY).status_code == 200


def test_a_statement_that_begins_just_after_the_word_to_end_it_is_ended_too(database: str):
    """A word to cancel that comes between two statements ends none, and is said again."""
    with kept(database) as url, asked_here(url) as client:
        asking = threading.Event()

        def begin_late(reading: Reading) -> None:
            asking.set()
            eventually(lambda: reading.is_stopped)
            with reading.driver.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")

        async def leave() -> Message:
            await asyncio.to_thread(asking.wait)
            return {"type": "http.disconnect"}

        async def ask() -> None:
            context = client.context
            request = Request({"type": "http"}, leave)
            await while_there(request, Work(context.reader, begin_late), anyio.CapacityLimiter(1), context.meters)

        with pytest.raises(Stopped):
            asyncio.run(ask())
        eventually(lambda: query(url, ASKING) == [(0,)])


def test_a_statement_that_takes_too_long_is_cancelled_and_told(database: str):
    with kept(database, samples.prices()) as url, asked_here(url, statement_timeout_s=0.3) as client, locked(url, "price"):
        answer = client.ask("/v1/prices", **DAY)
        assert query(url, ASKING) == [(0,)]

    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/too-slow")


def test_one_who_waits_long_does_not_hold_up_another(database: str):
    with kept(database, samples.prices()) as url, asked_here(url, connections=2) as client, locked(url, "price_report"):
        slow = socket.create_connection(("127.0.0.1", client.port))
        slow.sendall(head())
        eventually(lambda: query(url, ASKING) == [(1,)])
        answer = client.ask("/v1/nodes")
        slow.close()

    assert answer.status_code == 200


def test_more_than_can_wait_are_told_to_come_again(database: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("historian.api.exchange.exchange.WAITING_PER_CONNECTION", 2)
    with kept(database, samples.prices()) as url, asked_here(url, connections=1) as client, locked(url, "price"):
        waiting = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(4)]
        for one in waiting:
            one.sendall(head())
        eventually(lambda: client.context.lanes.statistics().tasks_waiting == 3)
        answer = client.ask("/v1/prices")
        for one in waiting:
            one.close()

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
    assert answer.headers["retry-after"] == "1"


def test_a_database_that_is_away_is_told_and_nothing_of_where_it_is():
    port = free_port()
    with asked_here(f"postgresql://anna:very-secret@127.0.0.1:{port}/plant") as client:
        answer = client.ask("/v1/prices")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/database-away")
    assert not {"anna", "very-secret", str(port), "psycopg", "SELECT"} & {
        word for word in ("anna", "very-secret", str(port), "psycopg", "SELECT") if word in answer.text
    }


def test_a_database_without_our_tables_is_told_with_what_to_do(database: str):
    with asked_here(database) as client:
        answer = client.ask("/v1/prices")

    assert answer.status_code == 503
    assert "see that the historian of this version has started once" in answer.json()["detail"]


def test_connections_that_the_database_cut_are_made_anew(database: str):
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        assert client.ask("/v1/prices").status_code == 200
        query(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dotbus historian-api'")

        assert client.ask("/v1/prices").status_code == 200


def test_nothing_can_be_written_whatever_the_user_may(database: str):
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        reader = client.context.reader
        with pytest.raises(Exception, match="does not answer"), reader.reading() as reading:
            reading.rows("DELETE FROM price", {})
        assert query(url + IN_SCHEMA, "SELECT count(*) > 0 FROM price") == [(True,)]


@pytest.mark.parametrize(
    ("sent", "status", "sort"),
    [
        (head(*(f"X-{number}: {'x' * 100}" for number in range(1000))), b"431", b"head-too-large"),
        (head("X: " + "x" * 1_000_000), b"431", b"head-too-large"),
        (b"GET /v1/prices?node=" + b"x" * 1_000_000 + b" HTTP/1.1\r\n\r\n", b"431", b"head-too-large"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400", b"no-http"),
        (b"\0" * 100 + b"\r\n\r\n", b"400", b"no-http"),
        (b"SELECT * FROM price; HTTP/1.1\r\n\r\n", b"400", b"no-http"),
        (b"GET /v1/prices HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400", b"no-http"),
        (b"GET /v1/prices HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n", b"400", b"no-http"),
        (b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"400", b"no-http"),
    ],
)
def test_what_is_no_request_or_too_large_a_one_is_a_problem_and_the_connection_ends(
    database: str, sent: bytes, status: bytes, sort: bytes
):
    with kept(database) as url, asked_here(url) as client:
        answer = raw(client, sent)
        assert client.ask("/v1/prices").status_code == 200

    # Whoever still sends when it is refused may see its connection reset before the answer.
    assert answer.startswith(b"HTTP/1.1 " + status) or (answer == b"" and len(sent) > 100_000)
    assert sort in answer or answer == b""


def test_a_head_that_comes_too_slowly_ends_its_connection_and_a_slow_answer_does_not(
    database: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(web_connections, "REQUEST_WITHIN_S", 0.3)
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        silent = raw(client, b"")
        slow = raw(client, b"GET /v1/prices HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")
        with locked(url, "price"):
            answers: list[int] = []
            asking = threading.Thread(target=lambda: answers.append(client.ask("/v1/prices").status_code))
            asking.start()
            eventually(lambda: query(url, ASKING) == [(1,)])
            began_s = time.monotonic()
            eventually(lambda: time.monotonic() - began_s > 0.5)
        asking.join()

    assert (silent, slow, answers) == (b"", b"", [200])


def test_a_head_that_trickles_is_not_given_more_time_by_each_byte(database: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web_connections, "REQUEST_WITHIN_S", 0.5)
    with kept(database) as url, asked_here(url) as client, socket.create_connection(("127.0.0.1", client.port)) as slow:
        eventually(lambda: is_closed(slow, b"G"), every_s=0.05)


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_not_given_more_time_by_each_byte(database: str, monkeypatch: pytest.MonkeyPatch, framing: str):
    monkeypatch.setattr(web_connections, "REQUEST_WITHIN_S", 0.5)
    with kept(database) as url, asked_here(url) as client, socket.create_connection(("127.0.0.1", client.port)) as slow:
        slow.sendall(f"GET /v1/prices HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n".encode())
        eventually(lambda: is_closed(slow, b"1\r\nx\r\n"), every_s=0.05)


def test_who_takes_nothing_of_an_answer_is_let_go(database: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web_connections, "TAKES_NOTHING_S", 0.3)
    with kept(database) as url, asked_here(url) as client, socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.settimeout(10)
        lazy.connect(("127.0.0.1", client.port))
        lazy.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200)  # more than the system's buffers hold
        eventually(lambda: is_closed(lazy, b"G"), every_s=0.1)


def is_closed(connection: socket.socket, sent: bytes) -> bool:
    try:
        connection.sendall(sent)
    except ConnectionError:
        return True
    return False


def silent(client: Client, address: str = "127.0.0.1") -> socket.socket:
    """A connection of an address of this machine that says nothing."""
    return socket.create_connection(("127.0.0.1", client.port), timeout=10, source_address=(address, 0))


def test_silent_connections_of_an_address_make_room_for_who_asks_from_it_the_oldest_first(
    database: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "STRANGERS_EACH_MOST", 3)
    with kept(database) as url, asked_here(url) as client, silent(client, "127.0.0.2") as elsewhere:
        held = [silent(client) for _ in range(3)]
        with Client(client.port, client.context) as another:
            assert another.ask("/v1/prices").status_code == 200
        assert held[0].recv(1) == b""
        for one in (*held[1:], elsewhere):
            one.sendall(head())
            assert one.recv(12) == b"HTTP/1.1 200"
            one.close()
        held[0].close()


def test_who_asks_gets_in_though_silent_ones_of_many_addresses_hold_all_connections(
    database: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "AT_ONCE_MOST", 4)
    with kept(database) as url, asked_here(url) as client:
        assert client.ask("/v1/prices").status_code == 200  # and stays open
        held = [silent(client, f"127.0.0.{number}") for number in range(2, 8)]
        with Client(client.port, client.context) as another:
            assert another.ask("/v1/prices").status_code == 200
        assert client.ask("/v1/prices").status_code == 200
        assert [one.recv(1) for one in held[:2]] == [b"", b""]
        for one in held:
            one.close()


def test_where_all_connections_are_being_answered_one_more_is_refused_and_those_that_close_make_room(
    database: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "AT_ONCE_MOST", 3)
    with kept(database, samples.prices()) as url, asked_here(url) as client, locked(url, "price"):
        held = [silent(client) for _ in range(3)]
        for one in held:
            one.sendall(head())
        eventually(lambda: query(url, ASKING) == [(3,)])
        refused = raw(client, b"")
        for one in held:
            one.close()
        eventually(lambda: client.ask("/v1/plants").status_code == 200)

    assert refused.startswith(b"HTTP/1.1 503")
    assert b"/problems/busy" in refused


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/prices/", "/v2/prices", "/v1/../etc/passwd", "/lmp/"])
def test_a_path_that_is_not_answered_is_a_problem_that_says_where_all_are(database: str, path: str):
    with asked_here(database) as client:
        answer = client.ask(path)

    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/unknown-path"
    assert "/v1/openapi.json has all that is" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "where"),
    [(path, "the path") for path in ("/%00", "/v1/plants/a%00b/days/today", "/v1/plants/sierra/days/%00", "/charts/plant/%00")]
    + [("/v1/prices?tz=UTC&node=a%00b", "node"), ("/v1/nodes?nam%00e=a", "nam"), ("/charts/lmp?node=%00", "node")]
    + [("/lmp/%00.csv", "the path"), ("/v1/openapi.json?a=%00", "a")],
)
def test_a_nul_anywhere_in_a_path_or_a_query_is_a_problem_that_says_where(database: str, path: str, where: str):
    with asked_here(database) as client:
        answer = client.ask(path)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-parameter")
    assert where in answer.json()["detail"]
    assert "U+0000" in answer.json()["detail"]


@pytest.mark.parametrize("suffix", ["", ".csv", ".arrow"])
def test_a_page_key_that_somebody_made_holds_nothing_that_the_database_cannot(database: str, suffix: str):
    made = next_page(nodes(None), ("a\0b",))
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        answer = client.ask(f"/v1/nodes{suffix}", page=made)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-parameter")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/prices?market=RTM&market=DAM", "market"),
        ("/v1/set-point?resource=TEST_RESOURCE_1&resource=TEST_RESOURCE_2", "resource"),
        ("/v1/prices?tz=UTC&node=a&tz=UTC", "tz"),
        ("/v1/nodes.csv?limit=1&limit=2", "limit"),
        ("/lmp/x?start=today&start=today", "start"),
        ("/row-count?tz=UTC&tz=Pacific", "tz"),
        ("/v1/dot?plant=sierra&plant=mesa", "plant"),
    ],
)
def test_what_is_said_twice_of_which_there_is_one_is_a_problem_and_not_the_last_word(database: str, path: str, name: str):
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        answer = client.ask(path)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-parameter")
    assert answer.json()["detail"].startswith(f"{name}: said more than once")


def test_what_there_may_be_several_of_is_said_several_times(database: str):
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        two = client.ask(f"/v1/prices?node={NP15}&node={NP15}&component=lmp&component=loss&start=2026-10-13")
        both = client.ask("/v1/dot?resource=TEST_RESOURCE_1&resource=TEST_RESOURCE_2")

    assert (two.status_code, both.status_code) == (200, 200)


@pytest.mark.parametrize("number", ["10_0", " 10", "10 ", "+10", "10.0", "1e2", "0x10", "\u0661\u0660", "", "9" * 30])
@pytest.mark.parametrize(
    ("path", "name"),
    [("/v1/prices", "limit"), ("/v1/set-point?resource=TEST_RESOURCE_1", "step_s"), (f"/lmp/{NP15}", "limit")],
)
def test_a_number_is_said_in_digits_alone(database: str, path: str, name: str, number: str):
    with kept(database) as url, asked_here(url) as client:
        answer = client.ask(path, **{name: number})

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"'{name}': it is no whole number")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_a_question_is_asked_with_get_and_no_other_method(database: str, method: str):
    with asked_here(database) as client:
        answer = client.request(method, client.address + "/v1/prices", data=b"x" * 100_000, timeout=10)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json()["type"] == "/problems/wrong-method"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v1/prices?start=2026-10-13",
            "/v1/prices.csv?start=2026-10-13",
            "/v1/prices.arrow",
            "/row-count",
            "/v1/openapi.json",
        ),
        *("/charts/lmp", f"/lmp/{NP15}", "/v1/plants", "/v1/prices?limit=none", "/v1/plants/siera/days/today", "/nowhere"),
    ],
)
def test_head_is_answered_as_get_without_the_body(database: str, path: str):
    with kept(database, samples.prices()) as url, asked_here(url) as client:
        head, get = (client.request(method, client.address + path, timeout=10) for method in ("HEAD", "GET"))

    told = ("content-type", "content-length", "cache-control", "content-disposition", "vary")
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert [head.headers.get(name) for name in told] == [get.headers.get(name) for name in told]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"])
def test_without_keys_a_page_elsewhere_cannot_read_by_a_name_of_its_own_for_this_machine(database: str, host: str):
    with kept(database) as url, asked_here(url) as client:
        answer = client.ask("/v1/prices", headers={"Host": host})

    assert (answer.status_code, answer.json()["type"]) == (421, "/problems/foreign-host")


def test_pages_of_other_origins_may_read_nothing_unless_told(database: str):
    origin = {"Origin": "https://charts.example"}
    with kept(database) as url:
        with asked_here(url) as client:
            closed = client.ask("/v1/prices", headers=origin)
        with asked_here(url, cors_origins="https://charts.example, https://other.example") as client:
            told, foreign = (
                client.ask("/v1/prices", headers=origin),
                client.ask("/v1/prices", headers={"Origin": "https://evil"}),
            )

    assert "access-control-allow-origin" not in closed.headers
    assert told.headers["access-control-allow-origin"] == "https://charts.example"
    assert "access-control-allow-origin" not in foreign.headers
