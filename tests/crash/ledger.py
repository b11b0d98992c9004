"""What clients were told, and the proof after each restart that none of it was taken back.

A request that was not answered may have been done or not: it is sent again, and its answer counts.
"""
import dataclasses
import uuid

from reference import FINISHED, items_of, points_of

# What may follow a state that was told, when no client asks for another.
MAY_BECOME = {
    "queued": {"queued", "running", "succeeded", "failed"},
    "running": {"queued", "running", "succeeded", "failed"},
    "paused": {"paused"},
}
# What a job is that refuses an action: because it has ended, or because a request without an answer was done.
REFUSES = {"pause": FINISHED | {"paused"}, "cancel": FINISHED, "resume": {"queued", "running"} | FINISHED}


@dataclasses.dataclass
class Request:
    """One request that changes something. answers: statuses of a first sending; again: those of a repetition after no
    answer came; told(ledger, answer): notes what an answer promised."""

    phase: str
    method: str
    path: str
    answers: set
    again: set
    told: object
    options: dict = dataclasses.field(default_factory=dict)

    def send(self, client, repeated=False):
        answer = client.request(self.method, self.path, **self.options)
        expected = self.answers | self.again if repeated else self.answers
        assert answer.status_code in expected, (self.method, self.path, answer.status_code, answer.text)
        return answer


@dataclasses.dataclass
class Job:
    kind: str
    body: dict
    points: dict = dataclasses.field(default_factory=dict)  # {step: point}
    killed: set = dataclasses.field(default_factory=set)  # attempts that a kill ended
    refused: str = None  # an action, since its body was read

    def finished(self):
        return self.body["state"] in FINISHED


class Ledger:
    def __init__(self, kinds, resources):
        self.kinds = kinds
        self.resources = dict(resources)  # {path: body}
        self.versions = {}  # {(model, version): digest}
        self.jobs = {}  # {id: Job}
        self.gone = set()  # paths
        self.points_read = 0

    # ---- being told ----

    def note(self, identity, body):
        """The job's body, read from a server."""
        job = self.jobs[identity]
        before = job.body
        if job.finished():
            assert body == before, f"a finished job changed: {before} became {body}"
        else:
            allowed = REFUSES[job.refused] if job.refused else MAY_BECOME[before["state"]]
            assert body["state"] in allowed, f"{before['state']} became {body['state']}: {body}"
            job.refused = None
        assert body["attempts"] >= before["attempts"], (before, body)
        for name in ["id", "created_at", "model", "dataset", "epochs", "steps", "from_version", "optimizer"]:
            assert body[name] == before[name], (name, before, body)
        if before["started_at"]:
            assert body["started_at"] == before["started_at"], (before, body)
        job.body = body

    def note_points(self, identity, points):
        job = self.jobs[identity]
        steps = [point["step"] for point in points]
        assert steps == sorted(set(steps)), f"steps of {identity} do not increase"
        for point in points:
            told = job.points.setdefault(point["step"], point)
            assert told == point, f"a point of {identity} changed: {told} became {point}"
        self.points_read += len(points)

    def remove(self, path):
        self.gone.add(path)
        self.resources.pop(path, None)
        self.versions = {key: digest for key, digest in self.versions.items() if key[0] != path}
        for identity in self.of_path(path):
            self.gone.add(f"/v1/jobs/{identity}")
            del self.jobs[identity]

    def spare(self):
        """Paths of what was made only to be deleted."""
        return [path for path in self.resources if path.rpartition("/")[2].startswith(("upload-", "model-"))]

    def unfinished(self, model):
        return [i for i, job in self.jobs.items() if job.body["model"] == model and not job.finished()]

    def of_path(self, path):
        """Ids of the jobs that go when what is there is deleted."""
        return [i for i, job in self.jobs.items() if path in (f"/v1/jobs/{i}", "/v1/models/" + job.body["model"])]

    # ---- requests ----

    def submit(self, kind, **changes):
        body = {**self.kinds[kind], **changes}
        return Request("submit", "POST", "/v1/jobs", {202}, set(), self._told_job(kind), self._keyed(json=body))

    def verify(self, identity):
        kind = self.jobs[identity].kind
        return Request("verify", "POST", f"/v1/jobs/{identity}/verify", {202}, set(), self._told_job(kind), self._keyed())

    def fork(self, identity):
        kind = self.jobs[identity].kind
        body = {"from_version": 1}
        return Request("fork", "POST", f"/v1/jobs/{identity}/fork", {202}, set(), self._told_job(kind), self._keyed(json=body))

    def put(self, phase, path, **options):
        def told(ledger, answer):
            ledger.gone.discard(path)
            ledger.resources[path] = answer.json()

        return Request(phase, "PUT", path, {201}, {200}, told, options)

    def put_parameters(self, model, parameters):
        """A new version; a repetition may make another."""
        def told(ledger, answer):
            ledger.versions[f"/v1/models/{model}", answer.json()["version"]] = answer.json()["digest"]

        path = f"/v1/models/{model}/parameters"
        return Request("parameters", "PUT", path, {201}, set(), told, {"json": {"parameters": parameters}})

    def delete(self, path):
        """A model goes with its jobs."""
        options = {"params": {"cascade": "true"}} if path.startswith("/v1/models/") else {}
        return Request("delete", "DELETE", path, {204}, {404}, lambda ledger, _: ledger.remove(path), options)

    def act(self, identity, action):
        """A job that ends meanwhile refuses: 409."""
        def told(ledger, answer):
            job = ledger.jobs[identity]
            if answer.status_code == 200:
                job.body = answer.json()
            else:
                job.refused = action

        return Request(action, "POST", f"/v1/jobs/{identity}/{action}", {200, 409}, set(), told)

    @staticmethod
    def _keyed(**options):
        return {"headers": {"Idempotency-Key": str(uuid.uuid4())}, **options}

    @staticmethod
    def _told_job(kind):
        def told(ledger, answer):
            body = answer.json()
            assert answer.headers["Location"] == "/v1/jobs/" + body["id"]
            ledger.jobs[body["id"]] = Job(kind, body)

        return told

    # ---- the proof ----

    def read_jobs(self, client):
        """Every job; none is missing, and none is there that nobody was told of."""
        items = items_of(client, "/v1/jobs")
        assert [item["id"] for item in items] == sorted(self.jobs), "jobs are missing, or too many"
        for item in items:
            self.note(item["id"], item)

    def read_points(self, client, identities):
        """All points that were told are there."""
        for identity in identities:
            points = points_of(client, identity)
            self.note_points(identity, points)
            assert len(points) == len(self.jobs[identity].points), f"points of {identity} are missing"

    def check(self, client, jobs):
        """Everything that can be asked for; of the jobs' cost histories those of these ids."""
        for path, body in self.resources.items():
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            now = answer.json()
            assert now.pop("version", 0) >= body.get("version", 0), path
            assert now == {name: value for name, value in body.items() if name != "version"}, path
        for path in self.gone:
            assert client.get(path).status_code == 404, path
        for collection in ["models", "datasets"]:
            paths = [f"/v1/{collection}/{item['name']}" for item in items_of(client, f"/v1/{collection}")]
            assert paths == sorted(p for p in self.resources if p.startswith(f"/v1/{collection}/")), paths
        self.check_versions(client)
        self.read_jobs(client)
        self.read_points(client, jobs)

    def check_versions(self, client):
        """Versions are numbered without a gap, and none changes."""
        for path in [path for path in self.resources if path.startswith("/v1/models/")]:
            items = items_of(client, f"{path}/versions")
            for item in items:
                told = self.versions.setdefault((path, item["version"]), item["digest"])
                assert told == item["digest"], (path, item)
            assert [item["version"] for item in items] == list(range(1, len(items) + 1)), (path, items)
            assert len(items) >= max(number for model, number in self.versions if model == path), path
