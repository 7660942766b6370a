"""Runs as jobs of Kubernetes: the jobs that are made, by the schema of Kubernetes, and what becomes of them."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_k8s import K8sRunLauncher
from support.kubernetes import Cluster, Pod, allowed, cluster
from support.postgres import use_postgres
from support.project import ROOT, Folder, Server, make_folder, serve, wait_for

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import coordinator
from mystocks_dagster.factory.machines.kubernetes import KubernetesRunLauncher
from mystocks_dagster.history.dagster_storage import run_storage
from mystocks_dagster.instance import open_instance
from mystocks_dagster.project import server_checks
from mystocks_dagster.runs.stop import request
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Storage

#: Each needs a server.
pytestmark = pytest.mark.slow

SHIPPED = ROOT / "deploy" / "kubernetes" / "dagster.yaml"
TASKS = """
    task_packages: [where]
    defaults: {task_type: manual, task_module: where}
    tasks:
      - {task_id: tell, task_function: tell, params: {text: first version}, max_instances: 3}
      - {task_id: hold, task_function: hold, auto_restart: true}
      - {task_id: slow, task_function: hold, timeout: 1, dependencies: [tell]}
"""
WHERE = """
    import logging
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def tell(params, run):
        logging.getLogger("task").info(f"{params['text']} in {HERE.parent.name}")

    def hold(params, run):
        (HERE / "holds").write_text(run.run_id)
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, postgres: Any) -> Iterator[tuple[Folder, Cluster, Server]]:
    """A project under its own servers, whose dagster.yaml is the shipped one, but for the place of the cluster."""
    root = tmp_path_factory.mktemp("kubernetes")
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        head = make_folder(root / "head")
        head.write("tasks.yaml", TASKS)
        head.write("where.py", WHERE)
        use_postgres(head, postgres, monkeypatch)
        config = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        config["run_launcher"]["config"] |= {
            "load_incluster_config": False,
            "kubeconfig_file": str(root / "kubeconfig"),
            "job_namespace": "stocks",
        }
        claim = {"claimName": "lake"}
        config["run_launcher"]["config"]["volumes"].append({"name": "lake", "persistentVolumeClaim": claim})
        mount = {"name": "lake", "mountPath": str(root / "lake")}
        config["run_launcher"]["config"]["volume_mounts"].append(mount)
        (head.root / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        lake = {"MYSTOCKS_LAKE": str(root / "lake" / "market")}
        storage = {"MYSTOCKS_POSTGRES_URL": os.environ["MYSTOCKS_POSTGRES_URL"]}
        head.env = {**lake, **storage, "MYSTOCKS_IMAGE": "mystocks:1"}
        given = {"mystocks-environment": lake, "mystocks-storage": storage | {"MYSTOCKS_IMAGE": "mystocks:1"}}
        here = stack.enter_context(cluster(root / "pods", head.root, given, "where.py"))
        yield head, here, stack.enter_context(serve(head))


@pytest.fixture(autouse=True)
def same_cluster(plant: tuple[Folder, Cluster, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find the database and the lake too."""
    for name, value in plant[0].env.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def head(plant: tuple[Folder, Cluster, Server]) -> Folder:
    return plant[0]


@pytest.fixture
def there(plant: tuple[Folder, Cluster, Server]) -> Cluster:
    return plant[1]


@pytest.fixture
def server(plant: tuple[Folder, Cluster, Server]) -> Server:
    return plant[2]


def test_a_run_is_executed_by_a_pod_with_the_task_files_version_of_the_head_and_its_time_limits(
    head: Folder, there: Cluster, server: Server
) -> None:
    run_id = server.launch("slow")
    assert server.wait(run_id, 120) == "FAILURE"
    (pod,) = there.pods.values()
    assert "timed out after 1 s" in pod.output
    assert pod.process.wait(30) is not None
    assert not (pod.root / "project" / "tasks.yaml").exists()
    log = (pod.root / "project" / ".dagster" / "logs" / "tell.log").read_text(encoding="utf-8")
    assert f"first version in {pod.root.name}" in log
    # The head reads in the database what the pod has in a file.
    assert f"first version in {pod.root.name}" in head.mystocks("logs", "tell")
    with open_instance(_settings(head)) as instance:
        slots = {limit.name: limit.limit for limit in instance.event_log_storage.get_pool_limits()}
    assert [limit for pool, limit in slots.items() if pool.endswith("tell")] == [3]


def test_the_job_of_a_run_runs_without_rights_once_and_for_one_task_only(there: Cluster) -> None:
    job = next(iter(there.pods.values())).job
    allowed(job)
    spec = job["spec"]["template"]["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert spec["restartPolicy"] == "Never"
    assert spec["serviceAccountName"] == "mystocks-run"
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["shareProcessNamespace"] is True
    container = spec["containers"][0]
    assert container["image"] == "mystocks:1"
    assert {"name": "MYSTOCKS_ONLY_JOB", "value": "slow"} in container["env"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_run_whose_pod_has_ended_without_it_is_lost(head: Folder, there: Cluster) -> None:
    (pod,) = there.pods.values()
    with open_instance(_settings(head)) as instance:
        run = instance.get_run_by_id(_run_of(pod))
        assert run is not None
        verdict = instance.run_launcher.check_run_worker_health(run.with_status(dg.DagsterRunStatus.STARTED))
    assert verdict.status.value == "FAILED"
    assert "it was killed or evicted, had too little memory, or its node went down" in str(verdict.msg)


def test_a_stopped_run_ends_in_its_pod_and_its_job_is_gone(head: Folder, there: Cluster, server: Server) -> None:
    run_id, pod = _holding(there, server)
    with open_instance(_settings(head)) as instance:
        request(instance, run_id)
    assert pod.process.wait(60) is not None
    assert server.wait(run_id, 30) == "CANCELED"
    assert pod.root.name in there.deleted


def test_an_api_server_that_is_away_costs_no_run_and_hides_no_stop(
    head: Folder, there: Cluster, server: Server
) -> None:
    run_id, pod = _holding(there, server)
    with open_instance(_settings(head)) as instance, _away(there):
        asked = there.refused
        # The daemon has looked twice while it got no answer.
        wait_for(lambda: there.refused >= asked + 2, 60, "two looks of the daemon")
        assert server.status(run_id) == "STARTED"
        assert pod.process.poll() is None
        request(instance, run_id)
        assert pod.process.wait(60) is not None
        assert server.wait(run_id, 30) == "CANCELED"


def test_a_run_whose_node_goes_down_is_restarted_in_a_new_pod(there: Cluster, server: Server) -> None:
    run_id, pod = _holding(there, server)
    pod.kill()
    assert server.wait(run_id, 60) == "FAILURE"
    restarted = wait_for(lambda: _restart_of(server, run_id), 60, "the restart of the lost run")
    again = wait_for(lambda: _held(there, restarted), 90, "the task in the new pod")
    assert again.root != pod.root
    again.kill()


def test_an_image_of_another_version_and_a_pod_without_the_configuration_are_refused(
    head: Folder, there: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(_settings(head)) as instance:
        storage = run_storage(instance)
        before = storage.get_cursor_values({Storage.DAEMON_VERSION})
        storage.set_cursor_values({Storage.DAEMON_VERSION: "9.9.9"})
        try:
            assert "has mystocks-dagster 0.1.0, and the daemon has 9.9.9" in _refusal(instance)
        finally:
            storage.set_cursor_values(before or {Storage.DAEMON_VERSION: "0.1.0"})
        monkeypatch.setenv("MYSTOCKS_ROOT", str(tmp_path))
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
        assert f"the pod has no {tmp_path / 'dagster.yaml'} that names the Postgres database" in _refusal(instance)


def test_health_says_whether_kubernetes_answers(head: Folder, there: Cluster) -> None:
    with open_instance(_settings(head)) as instance:
        project: Any = SimpleNamespace(instance=instance)
        (check,) = server_checks.machines(project)
        assert (check.ok, check.detail) == (True, "each run is a job in the namespace stocks, of image mystocks:1")
        with _away(there):
            (check,) = server_checks.machines(project)
        assert not check.ok
        assert check.detail == "Kubernetes does not list the jobs of namespace stocks: Forbidden"


def test_a_lake_in_a_folder_is_refused_unless_pods_share_a_volume(
    head: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(_settings(head)) as instance:
        launcher: Any = instance.run_launcher
        launcher.check()
        monkeypatch.setenv("MYSTOCKS_LAKE", "/project/.dagster/data")
        with pytest.raises(InstanceError, match=r"is a folder, which is lost with the pod .* Set MYSTOCKS_LAKE=s3://"):
            launcher.check()
        monkeypatch.setenv("MYSTOCKS_LAKE", "s3://market/lake")
        launcher.check()


def test_a_daemon_with_dagsters_own_launcher_ends_and_names_ours(
    plant: tuple[Folder, Cluster, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = plant[1].root.with_name("kubeconfig")
    launcher = K8sRunLauncher(
        "runs", "project", dagster_home="/d", load_incluster_config=False, kubeconfig_file=f"{kubeconfig}"
    )
    daemons: Any = SimpleNamespace(run_launcher=launcher)
    with pytest.raises(SystemExit):
        coordinator._check_launcher(daemons)
    assert "Name mystocks_dagster.factory.machines.kubernetes and KubernetesRunLauncher" in capsys.readouterr().err


def test_a_project_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster_k8s", None)
    monkeypatch.delitem(sys.modules, KubernetesRunLauncher.__module__)
    with pytest.raises(InstanceError, match=r"pip install 'mystocks-dagster\[kubernetes\]'"):
        importlib.import_module(KubernetesRunLauncher.__module__)


def test_outside_of_a_pod_it_says_how_the_cluster_is_named() -> None:
    with pytest.raises(InstanceError, match=r"name `load_incluster_config: false` and `kubeconfig_file`"):
        KubernetesRunLauncher("runs", "project", dagster_home="/d")


def test_the_role_of_the_server_allows_what_was_asked_and_nothing_else(there: Cluster) -> None:
    """The last one: it looks at what all tests above have asked of the cluster."""
    access = yaml.safe_load_all((SHIPPED.parent / "access.yaml").read_text(encoding="utf-8"))
    role = next(part for part in access if part["kind"] == "Role")
    granted = {(verb, kind) for rule in role["rules"] for verb in rule["verbs"] for kind in rule["resources"]}
    verbs = {"POST": ("create",), "DELETE": ("delete",), "GET": ("get", "list")}
    for method, kind in there.asked:
        assert any((verb, kind) in granted for verb in verbs[method]), (method, kind)
    assert {kind for _, kind in granted} == {"jobs", "jobs/status", "pods", "events"}


def _refusal(instance: dg.DagsterInstance) -> str:
    """Let this process be the pod of a new run, and return why it does not execute it."""
    run = dg.DagsterRun(job_name="tell")
    instance.run_storage.add_run(run)
    launcher: Any = instance.run_launcher
    with pytest.raises(SystemExit), launcher.attending(run.run_id):
        pass
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    return instance.all_logs(run.run_id)[0].message


def _run_of(pod: Pod) -> str:
    return pod.job["metadata"]["labels"]["dagster/run-id"]


@contextmanager
def _away(there: Cluster) -> Iterator[None]:
    there.away = True
    try:
        yield
    finally:
        there.away = False


def _holding(there: Cluster, server: Server) -> tuple[str, Pod]:
    """Start the task that holds, and return its run and its pod once that executes it."""
    run_id = server.launch("hold")
    return run_id, wait_for(lambda: _held(there, run_id), 90, "the task in its pod")


def _held(there: Cluster, run_id: str) -> Pod | None:
    found = [pod for pod in [*there.pods.values()] if _run_of(pod) == run_id]
    return next((pod for pod in found if (pod.root / "project" / "holds").exists()), None)


def _restart_of(server: Server, run_id: str) -> str | None:
    query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
    tags = {tag["key"]: tag["value"] for tag in server.graphql(query, id=run_id)["runOrError"]["tags"]}
    return tags.get("dagster/auto_retry_run_id")


def _settings(head: Folder) -> Settings:
    return replace(Settings.from_env(), root=Path(head.root), dagster_home=head.root / ".dagster")
