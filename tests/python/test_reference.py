"""The documentation gate: every public name has a description, types and an example. And the API reference, which is made of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from millstream.testing import clock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import reference


@pytest.fixture
def fresh_walk() -> Iterator[None]:
    """The walk's results are not those of another test."""
    reference.entries.cache_clear()
    yield
    reference.entries.cache_clear()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py"), str(folder)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_is_described_typed_and_shown() -> None:
    assert len(reference.entries()) > 350
    gaps = reference.gaps()
    assert not gaps, "\n" + "\n".join(gaps)


def test_the_gate_sees_what_is_missing(monkeypatch: pytest.MonkeyPatch, fresh_walk: None) -> None:
    class Bare:
        def __init__(self, start) -> None: ...
        def method(self, value, typed: int = 0): ...
        @property
        def size(self): ...
        @staticmethod
        def of(self): ...
        class Inner:
            def deep(self, value) -> None: ...

    def function(value): ...

    for name, value in (("Bare", Bare), ("function", function)):
        value.__module__ = clock.__name__
        monkeypatch.setattr(clock, name, value, raising=False)
    monkeypatch.setattr(clock, "__all__", [*clock.__all__, "Bare", "function"])
    title = "millstream.testing.clock"
    assert reference.gaps() == [
        f"{title}.Bare: no docstring",
        f"{title}.Bare: no example",
        f"{title}.Bare.__init__: no type for 'start'",
        f"{title}.Bare.Inner: no docstring",
        f"{title}.Bare.Inner.deep: no docstring",
        f"{title}.Bare.Inner.deep: no type for 'value'",
        f"{title}.Bare.method: no docstring",
        f"{title}.Bare.method: no type for 'value'",
        f"{title}.Bare.method: no type for 'return'",
        f"{title}.Bare.of: no docstring",
        f"{title}.Bare.of: no type for 'self'",
        f"{title}.Bare.of: no type for 'return'",
        f"{title}.Bare.size: no docstring",
        f"{title}.Bare.size: no type for 'return'",
        f"{title}.function: no docstring",
        f"{title}.function: no example",
        f"{title}.function: no type for 'value'",
        f"{title}.function: no type for 'return'",
    ]


def test_each_module_has_a_page_and_each_name_a_place(pages: Path) -> None:
    for module in reference.modules():
        text = (pages / f"{module}.md").read_text()
        assert text.startswith(f"# {module}\n")
        for name in reference.public_names(module):
            assert re.search(rf"^## {name}$|^- \[{name}\]\(|^- `{name}`", text, re.MULTILINE), f"{module}.{name} is not on its page"


def test_links_lead_somewhere(pages: Path) -> None:
    anchors = {page.name: {reference.anchor(title) for title in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)} for page in pages.glob("*.md")}
    count = 0
    for page in pages.glob("*.md"):
        for target, place in re.findall(r"\]\(([\w.]+\.md)#?([\w-]*)\)", page.read_text()):
            count += 1
            assert target in anchors and (not place or place in anchors[target]), f"{page.name} -> {target}#{place}"
    assert count > 300


def test_a_page_has_signatures_texts_and_examples(pages: Path) -> None:
    text = (pages / "millstream.datastream.stream_execution_environment.md").read_text()
    assert "### StreamExecutionEnvironment.execute\n\n```python\nexecute(job_name: str | None = None) -> JobExecutionResult\n```\n\nRuns what was made" in text
    assert "@staticmethod\nget_execution_environment(configuration: Configuration | None = None) -> StreamExecutionEnvironment" in text
    assert '```python\n>>> env = StreamExecutionEnvironment' in text
    stream = (pages / "millstream.datastream.data_stream.md").read_text()
    # From a base that has no page.
    assert "### DataStream.set_parallelism" in stream
    keyed = (pages / "millstream.datastream.keyed_stream.md").read_text()
    assert "Of [DataStream](millstream.datastream.data_stream.md#datastream)." in keyed
    assert "### KeyedStream.set_parallelism" not in keyed
    functions = (pages / "millstream.datastream.functions.md").read_text()
    assert "#### KeyedProcessFunction.Context.get_current_key\n\n```python\nget_current_key() -> Any" in functions
    everything = "\n".join(page.read_text() for page in pages.glob("*.md"))
    assert ":class:" not in everything and " at 0x" not in everything
    assert everything.count("```") % 2 == 0


def test_pages_are_the_same_each_time_and_old_ones_go(pages: Path, tmp_path: Path) -> None:
    (tmp_path / "millstream.gone.md").write_text("old")
    reference.write(tmp_path)
    assert {page.name: page.read_text() for page in tmp_path.iterdir()} == {page.name: page.read_text() for page in pages.iterdir()}
