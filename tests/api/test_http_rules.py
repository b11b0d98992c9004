"""The rules for every path: methods, bodies, types, parameters, ids, tags, and what a client may send that is no request."""
import json
import random
import socket
import uuid

import pytest
import requests

JSON = {"Content-Type": "application/json"}
JOB = "/v1/jobs/01900000-0000-7000-8000-000000000000"


# ---------------------------------------------------------------- methods


@pytest.mark.parametrize("method", ["FOO", "PUT", "DELETE", "TRACE", "PATCH", "get"])
def test_unknown_method_is_405_with_allow(client, problem, method):
    request = client.prepare_request(requests.Request("GET", client.url + "/healthz"))
    request.method = method  # set here, for requests makes methods upper-case
    answer = client.send(request, timeout=10)
    document = problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert document["instance"] == "/healthz"


def test_allow_lists_all_methods_of_a_path(client, problem):
    answer = client.post("/v1/models/m", json={})
    problem(answer, 405)
    assert answer.headers["Allow"] == "GET, HEAD, PUT, DELETE, OPTIONS"


def test_405_with_a_body_keeps_the_connection(raw):
    connection = raw()
    for _ in range(2):
        connection.send("DELETE /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        assert connection.answer()[0] == 405


@pytest.mark.parametrize("path, allow", [("/healthz", "GET, HEAD, OPTIONS"), ("/v1/jobs", "GET, HEAD, POST, OPTIONS")])
def test_options(client, path, allow):
    answer = client.options(path)
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (204, allow, b"")
    assert answer.headers["X-Request-Id"]


def test_options_of_the_server(raw):
    status, headers, _ = raw().send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").answer()
    assert status == 204 and "PATCH" in headers["allow"]


def test_options_of_an_unknown_path(client, problem):
    problem(client.options("/nowhere"), 404)


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/problems", "/nowhere", "/v1/models", "/problems/gone"])
def test_head_is_get_without_the_body(client, path):
    get, head = client.get(path), client.head(path)
    assert head.content == b"" and head.status_code == get.status_code
    for name in ("Content-Type", "ETag", "Content-Length", "Allow"):
        assert head.headers.get(name) == get.headers.get(name), name


def test_get_with_a_body_ignores_it(raw):
    connection = raw()
    connection.send("GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
    assert connection.answer()[0] == 200
    connection.send("GET /healthz HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert connection.answer()[0] == 200


# ---------------------------------------------------------------- bodies


def test_415_says_what_to_type(client, problem):
    for headers in ({"Content-Type": "application/x-www-form-urlencoded"}, {}):
        document = problem(client.post("/v1/differentiate", data=b"{}", headers=headers), 415)
        assert "--json @file" in document["detail"]
        assert "-H 'Content-Type: application/json'" in document["detail"]


def test_415_lists_the_types_of_a_data_set(client, problem):
    document = problem(client.put("/v1/datasets/d", data=b"x", headers={"Content-Type": "text/xml"}), 415)
    assert "text/csv or application/json" in document["detail"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_content_type_is_read_as_http_says(client, content_type):
    body = b'{"program": "f = x^2", "inputs": {"x": 4}}'
    assert client.post("/v1/differentiate", data=body, headers={"Content-Type": content_type}).status_code == 200


def test_411(raw):
    status, headers, body = raw().send("POST /v1/differentiate HTTP/1.1\r\nHost: h\r\n\r\n").answer()
    assert status == 411 and headers["content-type"] == "application/problem+json"
    assert json.loads(body)["type"] == "/problems/length_required"


def test_empty_body_is_400(client, problem):
    problem(client.post("/v1/differentiate", data=b"", headers={**JSON, "Content-Length": "0"}), 400, "missing_body")


def test_413_by_length_comes_before_the_body(raw):
    connection = raw()
    connection.send("POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n")
    status, _, body = connection.answer()
    assert status == 413
    assert "99999999" in json.loads(body)["detail"] and "1048576" in json.loads(body)["detail"]
    assert connection.ended()


def test_413_reaches_a_client_that_sends_it_all(client, problem):
    problem(client.post("/v1/jobs", data=b" " * 8_000_000, headers=JSON), 413)


def test_413_of_a_chunked_body(client, problem):
    def pieces():
        for _ in range(40):
            yield b" " * 65536

    problem(client.post("/v1/jobs", data=pieces(), headers=JSON), 413)
    assert client.get("/healthz").status_code == 200


def test_expect_continue(raw):
    body = b'{"program": "f = x^2", "inputs": {"x": 4}}'
    connection = raw()
    connection.send(
        "POST /v1/differentiate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.socket.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
    connection.send(body)
    status, _, answer = connection.answer()
    assert status == 200 and json.loads(answer) == {"of": "f", "value": 16, "gradients": {"x": 8}}


def test_expect_continue_is_refused_before_the_body(raw):
    connection = raw()
    connection.send(
        "POST /v1/nowhere HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    )
    assert connection.answer()[0] == 404
    assert connection.ended()


def test_417(raw):
    status, _, body = raw().send("GET /healthz HTTP/1.1\r\nHost: h\r\nExpect: the-impossible\r\n\r\n").answer()
    assert status == 417 and json.loads(body)["type"] == "/problems/expectation_failed"


def test_length_and_chunked_together_are_400(raw):
    connection = raw()
    connection.send(
        "POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    assert connection.answer()[0] == 400
    assert connection.ended()


def test_two_lengths_are_400(raw):
    connection = raw()
    connection.send(
        "POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}"
    )
    assert connection.answer()[0] == 400
    assert connection.ended()


def test_unknown_transfer_encoding_is_400(raw):
    connection = raw()
    connection.send("POST /v1/jobs HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n")
    assert connection.answer()[0] == 400


def test_no_host_is_400(raw):
    status, _, body = raw().send("GET /healthz HTTP/1.1\r\n\r\n").answer()
    assert status == 400 and "Host" in json.loads(body)["detail"]


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v1", "/v1/", "/v1/models/", "/v1/models/m/x/y/z/a/b/c", "//", "/v1/models/m/", "/healthz/"]
)
def test_unknown_path_is_404(client, problem, path):
    problem(client.get(path), 404, "not_found")


def test_404_guesses(client, problem):
    assert "did you mean '/v1/models'?" in problem(client.get("/v1/modells"), 404)["detail"]


@pytest.mark.parametrize("target", ["/v1/models/a%2fb", "/v1/models/a%2Fb", "/v1/models/a%00b", "/healthz%00", "/v1%2fmodels"])
def test_encoded_slash_and_nul_stay_encoded(raw, target):
    assert raw().send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").answer()[0] == 404


@pytest.mark.parametrize("target", ["/%68ealthz", "http://h/healthz", "HTTP://h:80/healthz", "/healthz?", "/healthz#x"])
def test_other_ways_to_write_a_path(raw, target):
    assert raw().send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").answer()[0] == 200


@pytest.mark.parametrize("name", ["-a", ".a", "a b", "é", "a" * 65, "a%2Fb", "a$", "%zz"])
def test_malformed_name(client, problem, name):
    path = "/v1/models/" + name
    problem(client.get(path), 404)
    problem(client.delete(path), 404)
    problem(client.put(path, data=b"{}", headers=JSON), 422, "invalid_name")


def test_malformed_job_id_is_404(client, problem):
    for identifier in ("x", "1", JOB[9:].upper().replace("-", ""), "01900000-0000-7000-8000-00000000000g"):
        problem(client.get("/v1/jobs/" + identifier), 404)
        problem(client.post(f"/v1/jobs/{identifier}/cancel"), 404)


def test_a_very_long_path_and_query(client, problem):
    problem(client.get("/" + "a" * 20000), 404)
    problem(client.get("/v1/models?after=" + "a" * 20000 + "&x=1"), 422)


# ---------------------------------------------------------------- parameters, Accept


def test_unknown_parameters_are_all_told(client, problem):
    document = problem(client.get("/v1/models?limt=3&after=a&color=red"), 422)
    assert document["type"] == "/problems/invalid_request" and document["error_count"] == 2
    assert document["errors"][0]["detail"] == "no query parameter 'limt'; did you mean 'limit'?"
    assert {item["code"] for item in document["errors"]} == {"unknown_parameter"}


def test_repeated_parameter(client, problem):
    problem(client.get("/v1/models?limit=3&limit=3"), 422, "repeated_parameter")


def test_parameters_that_are_no_text(client, problem):
    problem(client.get("/v1/models?after=%ff"), 422, "invalid_utf8")
    problem(client.get("/v1/models?after=a%00b"), 422, "invalid_utf8")


@pytest.mark.parametrize("value", ["0", "1001", "-1", "1.5", "x", "", "99999999999999999999", "+1", "%201"])
def test_limit_out_of_bounds(client, problem, value):
    document = problem(client.get("/v1/models?limit=" + value), 422, "out_of_range")
    assert "1 to 1000" in json.dumps(document)


def test_hundreds_of_parameters(client, problem):
    problem(client.get("/v1/models?" + "&".join(f"a{i}=1" for i in range(200))), 422)


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("*/*", "json"),
        ("text/html", "html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("application/json;q=0.5, text/html;q=0.4", "json"),
        ("text/html;q=0, */*", "json"),
        ("APPLICATION/*", "json"),
        ("", "json"),
    ],
)
def test_accept(client, accept, kind):
    answer = client.get("/problems/gone", headers={"Accept": accept})
    assert answer.status_code == 200 and kind in answer.headers["Content-Type"]
    assert answer.headers["Vary"] == "Accept"


def test_406(client, problem):
    document = problem(client.get("/problems/gone", headers={"Accept": "image/png"}), 406)
    assert "application/json or text/html" in document["detail"]
    problem(client.get("/", headers={"Accept": "application/json;q=0"}), 406)


# ---------------------------------------------------------------- X-Request-Id, ETag, CORS


def test_request_id_is_echoed_or_made(client):
    assert client.get("/healthz", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    assert client.get("/nowhere", headers={"X-Request-Id": "a" * 128}).headers["X-Request-Id"] == "a" * 128
    for insane in ("a" * 129, "a b", "", "\xe9"):
        made = client.get("/healthz", headers={"X-Request-Id": insane.encode("latin-1")}).headers["X-Request-Id"]
        assert uuid.UUID(made).version == 7


def test_every_refusal_has_an_id(raw):
    for request in (
        "GET / HTTP/1.1\r\n\r\n",
        "POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n",
        "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    ):
        status, headers, body = raw().send(request).answer()
        assert status >= 400 and headers["x-request-id"] and json.loads(body)["status"] == status


def test_etag(client):
    first = client.get("/openapi.json")
    tag = first.headers["ETag"]
    assert tag.startswith('"') and tag.endswith('"')
    for header in (tag, "W/" + tag, f'"x", {tag}', f'"a,b",{tag} ', "*"):
        again = client.get("/openapi.json", headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    for header in ('"x"', tag[:-1], "x" + tag, ""):
        assert client.get("/openapi.json", headers={"If-None-Match": header}).status_code == 200
    assert client.head("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_no_cross_origin_unless_asked(client):
    answer = client.get("/healthz", headers={"Origin": "http://a.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_cross_origin(start):
    own = start("--cors-origin", "http://a.example")
    answer = requests.get(own.url + "/healthz", headers={"Origin": "http://a.example"}, timeout=10)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://a.example"
    assert "Origin" in answer.headers["Vary"] and "ETag" in answer.headers["Access-Control-Expose-Headers"]
    other = requests.get(own.url + "/healthz", headers={"Origin": "http://b.example"}, timeout=10)
    assert "Access-Control-Allow-Origin" not in other.headers
    preflight = requests.options(
        own.url + "/v1/models",
        headers={"Origin": "http://a.example", "Access-Control-Request-Method": "POST"},
        timeout=10,
    )
    assert preflight.status_code == 204 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]


# ---------------------------------------------------------------- pages


def test_index(client):
    document = client.get("/").json()
    assert document["name"] == "gradd" and document["version"]
    for link in document["links"].values():
        assert client.get(link).status_code in (200, 405)
    limits = document["limits"]
    assert limits["body_bytes"] == 1 << 20 and limits["dataset_bytes"] == 1 << 30 and limits["connections"] == 1024


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_every_problem_has_a_page(client, problem):
    items = client.get("/problems").json()["items"]
    assert len(items) > 50
    for item in items:
        page = client.get(item["type"])
        assert page.status_code == 200 and page.json() == item
        assert set(item) == {"code", "type", "title", "status", "advice"} and item["advice"]
    html = client.get("/problems/gone", headers={"Accept": "text/html"})
    assert html.headers["Content-Type"] == "text/html; charset=utf-8" and "<h1>gone</h1>" in html.text
    problem(client.get("/problems/no_such"), 404)


# ---------------------------------------------------------------- connections


def test_pipelining(raw):
    body = '{"program": "f = x^2", "inputs": {"x": 4}}'
    post = f"POST /v1/differentiate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    connection = raw().send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" + post + "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n" + post)
    statuses = [connection.answer() for _ in range(4)]
    assert [s for s, _, _ in statuses] == [200] * 4
    assert json.loads(statuses[1][2])["value"] == 16 and json.loads(statuses[2][2]) == {"status": "ready"}


def test_http_1_0(raw):
    connection = raw().send("GET /healthz HTTP/1.0\r\n\r\n")
    assert connection.answer()[0] == 200 and connection.ended()
    connection = raw()
    for _ in range(2):
        connection.send("GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        assert connection.answer()[0] == 200


def test_connection_close(raw):
    connection = raw().send("GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert connection.answer()[0] == 200 and connection.ended()


# ---------------------------------------------------------------- what is no request


def test_garbage(raw, client):
    """Whatever comes, the server goes on."""
    generator = random.Random(7)
    pieces = ["GET", " ", "/", "HTTP/1.1", "\r\n", "Host: h", "Content-Length: ", "9", "-1", "chunked", "\0", "\xff", ":"]
    pieces += ["Transfer-Encoding: ", "%", "?a=b&", "POST /v1/differentiate HTTP/1.1\r\n", "{", "é".encode().decode("latin-1")]
    for round_number in range(1000):
        if round_number % 2 == 0:
            data = bytes(generator.randrange(256) for _ in range(generator.randrange(1, 300)))
        else:
            data = "".join(generator.choice(pieces) for _ in range(generator.randrange(1, 60))).encode("latin-1")
        with raw(timeout=0.1) as connection:
            try:
                connection.send(data + b"\r\n\r\n")
                connection.socket.shutdown(socket.SHUT_WR)
                assert connection.socket.recv(65536)[:9] in (b"", b"HTTP/1.1 ", b"HTTP/1.0 ")
            except (ConnectionError, TimeoutError):
                pass
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("line", ["X" * 200, "A: " + "b" * 20000, ": x", "no colon", "A\x00: b", "Content-Length: -1", "Content-Length: 1e3"])
def test_strange_headers(raw, client, line):
    connection = raw().send(f"GET /healthz HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n")
    assert connection.socket.recv(12).startswith(b"HTTP/1.1 ")
    assert client.get("/healthz").status_code == 200
