"""The bill of materials: `make sbom` writes what an installation consists of, from the lock file, as CycloneDX 1.6.

The lock file has names, versions, hashes, and who needs what. Licences are those that installed packages declare.
"""

import json
import re
import sys
import uuid
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
#: The package itself, as the lock file names it.
OWN = "mystocks-dagster"


@dataclass
class Locked:
    """One line of the lock file.

    Attributes:
        name: The package.
        version: Its only allowed version.
        where: On which systems it is installed; empty for all.
        hashes: SHA-256 of the files that are accepted.
        needed_by: The packages that need it.
    """

    name: str
    version: str
    where: str
    hashes: list[str] = field(default_factory=list)
    needed_by: list[str] = field(default_factory=list)

    @property
    def reference(self) -> str:
        """Its package URL, which identifies it in the document."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked(text: str) -> list[Locked]:
    """Return the packages of a lock file.

    Raises:
        ValueError: A line has another form.
    """
    found: list[Locked] = []
    for line in text.splitlines():
        if start := re.fullmatch(r"([a-z0-9.-]+)(?:\[[^]]+\])?==([^ ;]+)(?: ; (.*?))?(?: \\)?", line):
            found.append(Locked(start[1], start[2], start[3] or ""))
        elif held := re.fullmatch(r"    --hash=sha256:([0-9a-f]{64})(?: \\)?", line):
            found[-1].hashes.append(held[1])
        elif via := re.fullmatch(r"    #   (?:via )?([^ ]+).*|    # via ([^ ]+).*", line):
            found[-1].needed_by.append(via[1] or via[2])
        elif line.strip() not in ("", "# via") and not line.startswith("#"):
            raise ValueError(f"a line of another form: {line!r}")
    return found


def document(packages: list[Locked]) -> dict[str, Any]:
    """Return the document; the same packages give the same one."""
    own = f"pkg:pypi/{OWN}"
    # A package may have several versions, each for some versions of Python.
    references = {OWN: [own]}
    for one in packages:
        references.setdefault(one.name, []).append(one.reference)
    needs: dict[str, list[str]] = {reference: [] for several in references.values() for reference in several}
    for one in packages:
        for parent in one.needed_by:
            for reference in references[re.sub(r"\[.*", "", parent)]:
                needs[reference].append(one.reference)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, "".join(sorted(needs)))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": OWN, "bom-ref": own}},
        "components": [_component(one) for one in packages],
        "dependencies": [{"ref": reference, "dependsOn": sorted(set(below))} for reference, below in needs.items()],
    }


def _component(one: Locked) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "name": one.name,
        "version": one.version,
        "bom-ref": one.reference,
        "purl": one.reference,
        "hashes": [{"alg": "SHA-256", "content": content} for content in one.hashes],
    }
    if one.where:
        component["properties"] = [{"name": "environment marker", "value": one.where}]
    if licence := _licence(one.name):
        component["licenses"] = [{"license": {"name": licence}}]
    return component


def _licence(name: str) -> str:
    """Return what the installed package declares in one line; empty for a package of another system."""
    try:
        declared = metadata(name)
    except PackageNotFoundError:
        return ""
    classifiers = declared.get_all("Classifier") or []
    named = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License :: ")]
    stated = (declared.get("License-Expression") or declared.get("License") or "").strip().splitlines()
    return (stated[0] if stated and len(stated) == 1 else "") or ", ".join(named)


def main() -> int:
    """Write `sbom.json`."""
    target = ROOT / "sbom.json"
    packages = locked(LOCK.read_text(encoding="utf-8"))
    target.write_text(json.dumps(document(packages), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{target.name}: {len(packages)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
