"""Data sets: uploaded as CSV and JSON, read back, replaced and deleted, and what is refused."""
import pathlib
import statistics

import pytest

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
CSV = {"Content-Type": "text/csv"}


def put_csv(client, name, text, **parameters):
    return client.put(f"/v1/datasets/{name}", data=text, headers=CSV, params=parameters)


def problem(answer, status, code):
    """The problem document, after checks that hold for all of them."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/problems/{code}", document
    assert document["status"] == status
    return document


def places(document, key="pointer"):
    return [(item["code"], item.get(key)) for item in document["errors"]]


def test_csv_is_stored_and_read_back(client):
    answer = put_csv(client, "cities", "city,age,zip\nRome,3,10\nOslo,1,20\nRome,2,10\n", types="zip:category")
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/v1/datasets/cities"
    body = answer.json()
    assert (body["name"], body["rows"], len(body["digest"])) == ("cities", 3, 64)
    city, age, code = body["columns"]
    assert city == {"name": "city", "type": "category", "shape": [], "categories": ["Oslo", "Rome"]}
    assert age == {"name": "age", "type": "number", "shape": [], "min": 1, "max": 3, "mean": 2,
                   "std": pytest.approx(statistics.pstdev([1, 2, 3]), rel=1e-15)}
    assert code["categories"] == ["10", "20"]
    assert client.get("/v1/datasets/cities").json() == body
    rows = client.get("/v1/datasets/cities/rows", params={"offset": 1, "limit": 1}).json()
    assert rows == {"offset": 1, "total": 3, "rows": [{"city": "Oslo", "age": 1, "zip": "20"}]}
    assert client.get("/v1/datasets/cities/rows", params={"offset": 9}).json() == {"offset": 9, "total": 3, "rows": []}


def test_real_file(client):
    answer = put_csv(client, "diabetes-file", (DATA / "diabetes.csv").read_bytes())
    assert answer.status_code == 201
    assert answer.json()["rows"] == 442
    rows = client.get("/v1/datasets/diabetes-file/rows?limit=1000").json()["rows"]
    lines = (DATA / "diabetes.csv").read_text().splitlines()
    assert len(rows) == len(lines) - 1
    assert list(rows[-1].values()) == [float(cell) for cell in lines[-1].split(",")]


def test_streamed_in_chunks(client):
    def pieces():
        yield b"a,b\n"
        for i in range(200000):
            yield b"%d,%d\n" % (i, -i)

    answer = client.put("/v1/datasets/streamed", data=pieces(), headers=CSV)
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == 200000
    rows = client.get("/v1/datasets/streamed/rows?offset=199999").json()["rows"]
    assert rows == [{"a": 199999, "b": -199999}]


def test_json_forms_make_the_same_table(client):
    columns = client.put("/v1/datasets/json-a", json={"columns": {"X": [[1, 2], [3, 4]], "c": ["u", "v"]}})
    rows = client.put("/v1/datasets/json-b", json={"header": ["X", "c"], "rows": [[[1, 2], "u"], [[3, 4], "v"]]})
    assert (columns.status_code, rows.status_code) == (201, 201)
    assert columns.json()["digest"] == rows.json()["digest"]
    assert columns.json()["columns"][0]["shape"] == [2]
    assert client.get("/v1/datasets/json-a/rows").json()["rows"][1] == {"X": [3, 4], "c": "v"}


def test_the_same_table_changes_nothing(client):
    first = put_csv(client, "same", "a\n1\n2\n")
    again = put_csv(client, "same", "a\r\n1.0\r\n2e0\r\n")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["ETag"] == first.headers["ETag"]
    other = put_csv(client, "same", "a\n1\n3\n")
    assert other.status_code == 200
    assert other.json()["digest"] != first.json()["digest"]
    assert other.headers["ETag"] != first.headers["ETag"]


def test_etag_and_head(client):
    put_csv(client, "tagged", "a\n1\n")
    answer = client.get("/v1/datasets/tagged")
    again = client.get("/v1/datasets/tagged", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head("/v1/datasets/tagged")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.content))


def test_delete(client):
    put_csv(client, "doomed", "a\n1\n")
    answer = client.delete("/v1/datasets/doomed")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(client.delete("/v1/datasets/doomed"), 404, "not_found")
    problem(client.get("/v1/datasets/doomed"), 404, "not_found")
    problem(client.get("/v1/datasets/doomed/rows"), 404, "not_found")


def test_list_pages(client):
    names = [f"page-{i}" for i in range(5)]
    for name in names:
        put_csv(client, name, "a\n1\n")
    seen, path = [], "/v1/datasets?limit=2"
    while path:
        answer = client.get(path)
        body = answer.json()
        assert len(body["items"]) <= 2
        seen += [item["name"] for item in body["items"]]
        path = answer.links["next"]["url"] if "next" in answer.links else None
        assert (body["next"] is None) == (path is None)
    assert seen == sorted(seen)
    assert [name for name in seen if name.startswith("page-")] == names


BAD_CSV = {
    "empty text": ("", "missing_header", None),
    "no rows": ("a,b\n", "empty_table", None),
    "nan": ("a\nnan\n", "invalid_number", "a"),
    "inf later": ("a\n1\ninf\n", "invalid_number", "a"),
    "beyond double": ("a\n1e999\n", "invalid_number", "a"),
    "hexadecimal": ("a\n0x10\n", "invalid_number", "a"),
    "empty cell": ("a,b\n1,2\n3,\n", "empty_cell", "b"),
    "word among numbers": ("a\n1\nx\n", "invalid_number", "a"),
    "ragged": ("a,b\n1,2\n3\n", "ragged_row", None),
    "name twice": ("a,a\n1,2\n", "duplicate_column", "a"),
    "not UTF-8": (b"a\n\xff\n", "invalid_utf8", None),
    "quote not closed": ('a\n"x\n', "invalid_csv", None),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv(client, case):
    text, code, field = BAD_CSV[case]
    document = problem(put_csv(client, "bad", text), 422, "invalid_dataset")
    codes = [item["code"] for item in document["errors"]]
    assert code in codes, document
    item = document["errors"][codes.index(code)]
    if field:
        assert item["field"] == field
    problem(client.get("/v1/datasets/bad"), 404, "not_found")


def test_places_in_csv(client):
    text = 'a,b\n1,x\n"2\n",y\n3,z,w\nq,x\n'
    document = problem(put_csv(client, "bad", text), 422, "invalid_dataset")
    found = [(item["code"], item.get("line"), item.get("row"), item.get("field")) for item in document["errors"]]
    assert found == [("invalid_number", 3, 2, "a"), ("ragged_row", 5, 3, None), ("invalid_number", 6, 4, "a")]


def test_errors_are_counted(client):
    document = problem(put_csv(client, "bad", "a\n1\n" + "x\n" * 250), 422, "invalid_dataset")
    assert (len(document["errors"]), document["error_count"]) == (100, 250)


def test_bad_json(client):
    document = problem(
        client.put("/v1/datasets/bad", json={"header": ["a", "b"], "rows": [[1, "x"], ["2", 3], [1]]}),
        422, "invalid_dataset",
    )
    assert places(document) == [
        ("wrong_type", "/rows/1/0"), ("wrong_type", "/rows/1/1"), ("ragged_row", "/rows/2"),
    ]
    json_type = {"Content-Type": "application/json"}
    for columns in ['{"a": [1, NaN]}', '{"a": [1e999]}', '{"a": [1], "a": [2]}', "{"]:
        answer = client.put("/v1/datasets/bad", data=f'{{"columns": {columns}}}', headers=json_type)
        problem(answer, 400, "invalid_json")
    problem(client.get("/v1/datasets/bad"), 404, "not_found")


def test_types_parameter(client):
    problem(put_csv(client, "bad", "a\n1\n", types="a:integer"), 422, "invalid_request")
    problem(put_csv(client, "bad", "a\n1\n", types="a"), 422, "invalid_request")
    document = problem(put_csv(client, "bad", "age\n1\n", types="aeg:number"), 422, "invalid_dataset")
    assert "age" in document["errors"][0]["detail"]
    problem(client.put("/v1/datasets/bad?types=a:number", json={"columns": {"a": [1]}}), 422, "invalid_request")


def test_bad_requests(client):
    problem(client.put("/v1/datasets/bad", data="a\n1\n", headers={"Content-Type": "text/plain"}), 415,
            "unsupported_media_type")
    problem(put_csv(client, "-bad", "a\n1\n"), 422, "invalid_name")
    put_csv(client, "rows", "a\n1\n")
    for query in ["limit=0", "limit=1001", "limit=x", "offset=-1", "offset=1.5", "ofset=1", "limit=1&limit=2"]:
        assert client.get("/v1/datasets/rows/rows?" + query).status_code == 422, query


def test_broken_upload_leaves_nothing(client, raw):
    put_csv(client, "kept", "a\n1\n")
    for name in ["kept", "never"]:
        connection = raw()
        connection.send(
            f"PUT /v1/datasets/{name} HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 4000000\r\n\r\n"
            "a\n" + "7\n" * 1000000
        )
        connection.close()
    assert client.get("/v1/datasets/kept/rows").json()["rows"] == [{"a": 1}]
    problem(client.get("/v1/datasets/never"), 404, "not_found")
