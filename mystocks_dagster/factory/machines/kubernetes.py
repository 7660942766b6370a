"""The run launcher for Kubernetes: Dagster's own launcher, and what a run of this project needs beyond it.

dagster-k8s makes the job of a run. Added are the version of the task file, the slots of pools, the run's lock, and a
health check that an unreachable API server does not turn into lost runs. See docs/decisions/0068.
"""

import contextlib
import platform
from collections.abc import Generator
from pathlib import Path
from typing import Any

from mystocks_dagster.dagster_internals import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory.launcher import WORKER, size_pools, tags_of_tasks
from mystocks_dagster.factory.machines import entry
from mystocks_dagster.factory.machines.attendance import attending, database_url
from mystocks_dagster.factory.shared_versions import fetch, publish
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.only_job import ONLY_JOB
from mystocks_dagster.runs.stop import is_stopped
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared import place
from mystocks_dagster.shared.values import Values
from mystocks_dagster.tags import Storage, Tag

try:
    from dagster_k8s import K8sRunLauncher
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import UserDefinedDagsterK8sConfig, get_job_name_from_run_id
    from kubernetes.config import ConfigException
except ImportError:
    raise InstanceError(
        "dagster-k8s is not installed, which starts runs on Kubernetes. Install it in the image: "
        "pip install 'mystocks-dagster[kubernetes]'"
    ) from None


class KubernetesRunLauncher(K8sRunLauncher):
    """Launches each run as a job of Kubernetes with one pod; dagster.yaml gives it the options of K8sRunLauncher."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Read how to reach the cluster.

        Raises:
            InstanceError: This process runs in no pod, and dagster.yaml names no kubeconfig.
        """
        try:
            super().__init__(*arguments, **options)
        except ConfigException as error:
            raise InstanceError(
                f"Kubernetes cannot be reached from here: {error} In a pod, its service account must be mounted; "
                "elsewhere, name `load_incluster_config: false` and `kubeconfig_file` under `run_launcher`."
            ) from None

    def launch_run(self, context: LaunchRunContext) -> None:
        """Create the run's job; cancel a run that was stopped meanwhile.

        Raises:
            InstanceError: Storage or lake are on the disk of one machine.
        """
        run: Any = context.dagster_run
        self.check()
        plan = self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
        size_pools(self._instance, plan)
        publish(self._instance, run)
        if is_stopped(self._instance, run.run_id):
            self._instance.report_run_canceled(run, "It was stopped before it had started.")
            return
        # A restarted run has the tags of the lost one.
        self._instance.add_run_tags(run.run_id, {Tag.MACHINE: "", **tags_of_tasks(plan)})
        super().launch_run(context)

    def check(self) -> None:
        """Check that a pod can reach all that a run needs.

        Raises:
            InstanceError: Storage or lake are on the disk of one machine.
        """
        database_url(self._instance)
        lake = Settings.from_env().lake
        if "://" not in lake and not any(Path(lake).is_relative_to(folder) for folder in self._shared_folders()):
            raise InstanceError(
                f"The lake {lake} is a folder, which is lost with the pod of the run that writes it. Set "
                "MYSTOCKS_LAKE=s3://…, or mount a volume there that all pods share: `volumes` and `volume_mounts` in "
                f"{Path(self._instance.root_directory) / 'dagster.yaml'}."
            )

    def _shared_folders(self) -> list[str]:
        """Return where volumes are mounted that outlive a pod."""
        lasting = {volume["name"] for volume in self.volumes if not {"emptyDir", "empty_dir"} & set(volume)}
        mounts = [mount for mount in self.volume_mounts if mount["name"] in lasting]
        return [mount.get("mountPath") or mount.get("mount_path") for mount in mounts]

    def reach(self) -> str:
        """Ask the API server for a job, as each launch and each look at a run does; return what a person wants to know.

        Raises:
            InstanceError: It does not answer, or refuses; or a pod could not reach all that a run needs.
        """
        self.check()
        try:
            self._api_client.batch_api.list_namespaced_job(self.job_namespace, limit=1, _request_timeout=5)
        except Exception as error:  # noqa: BLE001 - the client and urllib3 have no common class of errors
            reason = getattr(error, "reason", None) or error
            raise InstanceError(
                f"Kubernetes does not list the jobs of namespace {self.job_namespace}: {reason}"
            ) from None
        return f"each run is a job in the namespace {self.job_namespace}, of image {self.job_image}"

    def get_container_context_for_run(self, dagster_run: Any) -> Any:
        """Return the pod's configuration: it executes our process of a run, and reaps processes that a task leaves."""
        own = {
            "container_config": {
                "command": ["python", "-c", WORKER],
                "env": [{"name": ONLY_JOB, "value": dagster_run.job_name}],
            },
            "pod_spec_config": {"share_process_namespace": True},
        }
        context = super().get_container_context_for_run(dagster_run)
        return context.merge(K8sContainerContext(run_k8s_config=UserDefinedDagsterK8sConfig.from_dict(own)))

    def terminate(self, run_id: str) -> bool:
        """Stop a run: its pod gets SIGTERM, and reads the stop in the run's log if that is lost."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        job, namespace = self._job(run)
        with contextlib.suppress(Exception):  # it does not answer, or the job is gone; the pod reads the run's log
            self._api_client.delete_job(job_name=job, namespace=namespace)
        if self.check_run_worker_health(run).status == WorkerStatus.FAILED:
            self._instance.report_run_canceled(run, "No pod executes it.")
        return True

    def check_run_worker_health(self, run: Any) -> CheckRunHealthResult:
        """Return whether the run's pod is there. Dagster would count a run as lost while the API server is away."""
        job, namespace = self._job(run)
        try:
            status = self._api_client.get_job_status(job_name=job, namespace=namespace, wait_time_between_attempts=0)
            pods = self._api_client.get_pod_names_in_job(job, namespace) if status is None else []
        except Exception:  # noqa: BLE001 - the client and urllib3 have no common class of errors
            return CheckRunHealthResult(WorkerStatus.RUNNING, "Kubernetes does not answer")
        if status is None:
            ending = WorkerStatus.RUNNING if pods else WorkerStatus.FAILED
            return CheckRunHealthResult(ending, f"the job {job} of this run was deleted")
        if status.active or not (status.failed or status.succeeded):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        machine = run.tags.get(Tag.MACHINE) or job
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            f"the run's pod {machine} is gone: it was killed or evicted, had too little memory, or its node went down",
        )

    @contextlib.contextmanager
    def attending(self, run_id: str) -> Generator[None]:
        """Fetch the run's version of the task file into this pod, and hold the run's lock while the pod executes it.

        A job may start a second pod, when a node comes back; its process ends here.

        Raises:
            InstanceError: Another pod executes the run.
        """
        run: Any = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            raise SystemExit(0)
        machine, settings = platform.node(), Settings.from_env()
        try:
            _check_pod(prepare_home(settings), self._instance, machine)
            fetch(self._instance, run, settings)
        except InstanceError as error:
            self._instance.report_run_failed(run, f"{machine} cannot execute this run: {error}")
            raise SystemExit(1) from None
        with attending(self._instance, run_id, machine):
            yield

    def _job(self, run: Any) -> tuple[str, str]:
        """Return name and namespace of the run's job."""
        return get_job_name_from_run_id(run.run_id), self.get_container_context_for_run(run).namespace


def _check_pod(home: Path, instance: Any, machine: str) -> None:
    """Raise an error if a run of this pod would not lock out those of other pods, or is of another version.

    Raises:
        InstanceError: The pod has no dagster.yaml that names the database, or the daemon has another version.
    """
    if place.database_url(home) is None:
        raise InstanceError(
            f"the pod has no {home.parent / 'dagster.yaml'} that names the Postgres database. Mount it there by "
            "`volumes` and `volume_mounts` under `run_launcher`, as in deploy/kubernetes."
        )
    entry.check_package(Values(database_url(instance)).get(Storage.DAEMON_VERSION), machine)
