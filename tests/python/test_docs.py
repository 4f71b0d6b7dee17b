"""Every Python block of README and docs runs, every example ends well, and every file that docs/data-path.md names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list:
    return [
        pytest.param(page, number, code, id=f"{page.relative_to(ROOT)}:{number}")
        for page in PAGES
        for number, code in enumerate(BLOCK.findall(page.read_text()), 1)
    ]


@pytest.mark.parametrize("page, number, code", blocks())
def test_code_block_runs(page: Path, number: int, code: str, tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, f"block {number} of {page.name} failed:\n{result.stdout}\n{result.stderr}"


def test_data_path_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "data-path.md").read_text()
    named = re.findall(r"`((?:Sources|python|include|Tests|tests)/[^`*]+?)`", text)
    assert len(named) > 15, "the page lists the files of a row's way"
    missing = [name for name in named if not (ROOT / name.split("#")[0].split(":")[0]).exists()]
    assert not missing


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "examples" / "data" / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken


def test_the_list_of_pages_has_all_of_them() -> None:
    listed = set(re.findall(r"\]\(([^)#:]+)\)", (ROOT / "docs" / "README.md").read_text()))
    assert {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} == listed | {"README.md"}
    assert "docs/README.md" in (ROOT / "README.md").read_text()
