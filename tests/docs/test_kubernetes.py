"""The manifests of deploy/kubernetes: by the published schemas, and as the rest of the repository has them."""

import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kubernetes import allowed
from support.project import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def kustomization() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))


def manifests() -> list[dict[str, Any]]:
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in kustomization()["resources"]]
    return [*chain.from_iterable(yaml.safe_load_all(text) for text in texts)]


def one(kind: str) -> dict[str, Any]:
    return next(manifest for manifest in manifests() if manifest["kind"] == kind)


@pytest.mark.parametrize("manifest", manifests(), ids=lambda part: f"{part['kind']}-{part['metadata']['name']}")
def test_each_manifest_is_one_that_kubernetes_takes(manifest: dict[str, Any]) -> None:
    allowed(manifest)
    assert manifest["metadata"].get("namespace", "mystocks") == kustomization()["namespace"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the folder; it is not installed")
def test_what_kubectl_makes_of_the_folder_is_what_kubernetes_takes(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    for name in ("tasks.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "storage.env").write_text("MYSTOCKS_POSTGRES_URL=postgresql+psycopg2://me:pw@db/stocks\n", "utf-8")
    (tmp_path / "door.env").write_text("MYSTOCKS_API_TOKEN=secret\n", "utf-8")
    told = subprocess.run(["kubectl", "kustomize", tmp_path], capture_output=True, text=True, check=True).stdout
    made = [*yaml.safe_load_all(told)]
    for manifest in made:
        allowed(manifest)
    assert len(made) == len(manifests()) + 4
    image = next(part for part in made if part["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert image["image"] == image["env"][0]["value"]


def test_a_misspelt_field_is_one_that_kubernetes_does_not_take() -> None:
    deployment = one("Deployment")
    deployment["spec"]["template"]["spec"]["serviceAcountName"] = "mystocks"
    with pytest.raises(Exception, match="serviceAcountName"):
        allowed(deployment)


def test_every_file_of_the_folder_is_applied() -> None:
    config = kustomization()
    named = {*config["resources"], "kustomization.yaml", *config["configMapGenerator"][0]["files"]}
    assert {path.name for path in FOLDER.glob("*.yaml")} <= named


def test_dagster_yaml_is_that_of_one_machine_but_for_what_kubernetes_needs() -> None:
    here = yaml.safe_load((FOLDER / "dagster.yaml").read_text(encoding="utf-8"))
    root = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert {key for key in here.keys() | root.keys() if here.get(key) != root.get(key)} == {
        "storage",
        "run_launcher",
        "run_monitoring",
    }
    assert here["run_monitoring"] == root["run_monitoring"] | {"start_timeout_seconds": 600}


def test_names_in_the_manifests_are_those_that_dagster_yaml_uses() -> None:
    options = yaml.safe_load((FOLDER / "dagster.yaml").read_text(encoding="utf-8"))["run_launcher"]["config"]
    config = kustomization()
    made = {part["name"] for part in (*config["configMapGenerator"], *config["secretGenerator"])}
    server = one("Deployment")["spec"]["template"]["spec"]
    used = {*options["env_config_maps"], *options["env_secrets"], options["instance_config_map"]}
    used |= {next(iter(source.values()))["name"] for source in server["containers"][0]["envFrom"]}
    assert used == made
    accounts = {part["metadata"]["name"] for part in manifests() if part["kind"] == "ServiceAccount"}
    assert accounts == {server["serviceAccountName"], options["service_account_name"]}
    assert [subject["name"] for subject in one("RoleBinding")["subjects"]] == [server["serviceAccountName"]]
    # The owner's token is not given to runs, which execute the user's code.
    assert "mystocks-door" not in options["env_secrets"]


def test_server_and_runs_have_the_image_and_the_user_of_the_dockerfile() -> None:
    (image,) = kustomization()["images"]
    container = one("Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == image["name"]
    assert container["env"] == [{"name": "MYSTOCKS_IMAGE", "value": f"{image['newName']}:{image['newTag']}"}]
    user = int(re.search(r"^USER (\d+)", DOCKERFILE, re.MULTILINE)[1])  # ty: ignore[not-subscriptable]
    options = yaml.safe_load((FOLDER / "dagster.yaml").read_text(encoding="utf-8"))["run_launcher"]["config"]
    contexts = (
        one("Deployment")["spec"]["template"]["spec"]["securityContext"],
        options["run_k8s_config"]["pod_spec_config"]["security_context"],
    )
    for context in contexts:
        assert context == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
