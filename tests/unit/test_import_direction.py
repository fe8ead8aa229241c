"""The design's direction of imports: `cli -> gate -> interfaces and model <- adapters`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "python" / "imagegate"
ADAPTERS = ("anchore", "trust.notary", "registry", "inventory", "report", "notify")
INTERFACES = ("anchore.server", "notify.sender", "registry.destination", "trust.signing", "image.source")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text())


def imports(tree: ast.Module) -> Iterator[str]:
    """Names of imagegate modules imported anywhere in a module, also inside functions; types-only imports are free."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("imagegate"):
            base = node.module.removeprefix("imagegate").lstrip(".")
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)
            yield base
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("imagegate.") for alias in node.names if "imagegate." in alias.name)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def test_adapters_do_not_import_each_other() -> None:
    crossings = [
        f"{name} imports {imported}"
        for name, tree in modules()
        for own in ADAPTERS
        if within(name, own)
        for imported in imports(tree)
        for other in ADAPTERS
        if other != own and within(imported, other) and not any(within(imported, face) for face in INTERFACES)
    ]
    assert crossings == []


def test_only_the_command_line_names_concrete_classes() -> None:
    crossings = [
        f"{name} imports {imported}"
        for name, tree in modules()
        if not within(name, "cli") and not any(within(name, adapter) for adapter in ADAPTERS)
        for imported in imports(tree)
        for adapter in ADAPTERS
        if within(imported, adapter) and not any(within(imported, face) for face in INTERFACES)
    ]
    assert crossings == []


def test_nothing_imports_the_command_line() -> None:
    assert [
        name for name, tree in modules() if not within(name, "cli") and any(within(i, "cli") for i in imports(tree))
    ] == []


@pytest.mark.parametrize(
    "package", ["policy", "sbom", "vex", "trust.notary.state", "vulnerability.versions", "dockerfile", "model"]
)
def test_pure_logic_does_no_network_and_reads_no_clock(package: str) -> None:
    for name, tree in modules():
        if not within(name, package):
            continue
        used = {node.names[0].name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import)}
        used |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not used & {"requests", "socket", "urllib3", "docker", "subprocess", "time"}, name
        calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not calls & {"now", "utcnow", "today"}, f"{name} reads the clock"


def test_help_imports_neither_network_nor_keys_nor_the_engine() -> None:
    code = (
        "import sys\nfrom imagegate.cli.main import run\nrun(['--help'])\n"
        "heavy = {'requests', 'docker', 'cryptography', 'rich', 'yaml', 'sqlite3'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
