"""A stand-in for a Kubernetes cluster: the calls that a run needs, and pods that are processes on disks of their own.

It refuses a job that the published schema of Kubernetes does not allow. A pod has what the job names: its command, its
environment from config maps and secrets, its mounted files; and nothing of the head's disk.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import yaml
from support.project import QUICK

#: The release of Kubernetes whose schemas are used.
RELEASE = "1.34"


def allowed(manifest: dict[str, Any]) -> None:
    """Raise an error if the published schema does not allow an object; unknown fields are not allowed either."""
    kubernetes_validate.validate(manifest, RELEASE, strict=True)


@dataclass
class Pod:
    """The one pod of a job."""

    job: dict[str, Any]
    root: Path
    process: subprocess.Popen[bytes]

    @property
    def output(self) -> str:
        """What it has printed."""
        return (self.root / "output").read_text(encoding="utf-8")

    def kill(self) -> None:
        """Kill all of its processes at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def status(self) -> dict[str, int]:
        """The status of the job."""
        code = self.process.poll()
        return {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}


@dataclass
class Cluster:
    """The cluster, and what was asked of it.

    Attributes:
        root: Where the pods' disks are made.
        head: The folder of the head's project, which the pods see as their own `/project`.
        secrets: Name of a config map or secret to its variables.
        files: Names of files of the head that the image has.
        pods: Name of a job to its pod.
        deleted: Names of jobs that were deleted, and whose pods end.
        asked: Method and resource of each call.
        away: Whether it answers nobody.
        refused: How many calls it did not answer.
    """

    root: Path
    head: Path
    secrets: dict[str, dict[str, str]]
    files: tuple[str, ...] = ()
    pods: dict[str, Pod] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)
    away: bool = False
    refused: int = 0

    def create(self, job: dict[str, Any]) -> None:
        """Start the pod of a job."""
        allowed(job)
        spec = job["spec"]["template"]["spec"]
        container, name = spec["containers"][0], job["metadata"]["name"]
        root = self.root / name
        project = root / "project"
        project.mkdir(parents=True)
        for file in self.files:
            shutil.copy(self.head / file, project / file)
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if "persistentVolumeClaim" in volumes[mount["name"]]:
                continue  # a folder of this machine, which the head and the pods see at the same place
            inside = project / Path(mount["mountPath"]).relative_to("/project")
            if "configMap" in volumes[mount["name"]]:
                shutil.copy(self.head / mount["subPath"], inside)
            else:
                inside.mkdir()
        given: dict[str, str] = {}
        for source in container["envFrom"]:
            given |= self.secrets[(source.get("configMapRef") or source["secretRef"])["name"]]
        given |= {item["name"]: item["value"] for item in container["env"]}
        # Its /project is a folder of this machine, and so is that of the head, whose paths are in the arguments.
        given["DAGSTER_HOME"] = given["DAGSTER_HOME"].replace("/project", str(project))
        command = [word.replace(str(self.head), str(project)) for word in (*container["command"], *container["args"])]
        assert command[0] == "python"
        bare = {key: value for key, value in os.environ.items() if not key.startswith(("MYSTOCKS_", "DAGSTER_"))}
        paths = os.pathsep.join((str(project), str(QUICK)))
        bare |= {"HOME": str(root), "MYSTOCKS_ROOT": str(project), "PYTHONPATH": paths, **given}
        with (root / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *command[1:]],
                cwd=project,
                env=bare,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pods[name] = Pod(job, root, process)

    def end(self) -> None:
        """Kill all pods."""
        for pod in self.pods.values():
            pod.kill()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer a call."""
        url = urlsplit(path)
        kind, _, name = url.path.partition("/namespaces/stocks/")[2].partition("/")
        self.asked.add((method, f"{kind}/status" if name.endswith("/status") else kind))
        name = name.removesuffix("/status")
        match method, kind:
            case "POST", "jobs":
                job = json.loads(body)
                self.create(job)
                return 201, job
            case "GET", "jobs" if not name:
                return 200, {"kind": "JobList", "items": []}
            case "GET", "jobs" if name in self.pods and name not in self.deleted:
                return 200, {"kind": "Job", "metadata": {"name": name}, "status": self.pods[name].status}
            case "DELETE", "jobs" if name in self.pods:
                self.deleted.add(name)
                return 200, {"kind": "Status", "status": "Success"}
            case "GET", "pods":
                job = parse_qs(url.query)["labelSelector"][0].partition("=")[2]
                there = job in self.pods and self.pods[job].process.poll() is None
                return 200, {"kind": "PodList", "items": [{"metadata": {"name": f"{job}-pod"}}] if there else []}
            case "DELETE", "pods":
                self.pods[name.removesuffix("-pod")].process.terminate()
                return 200, {"kind": "Pod", "metadata": {"name": name}}
        return 404, {"kind": "Status", "reason": "NotFound"}


@contextmanager
def cluster(root: Path, head: Path, secrets: dict[str, dict[str, str]], *files: str) -> Iterator[Cluster]:
    """Serve a cluster, and write the file `kubeconfig` beside its folder, which names it."""
    here = Cluster(root, head, secrets, files)

    class Calls(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            here.refused += here.away
            status, answer = (403, {}) if here.away else here.answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Calls)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    root.with_name("kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
    try:
        yield here
    finally:
        here.end()
        server.shutdown()
        server.server_close()
