"""The package as others get it: light to import, its public names, and a wheel with all that it needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import unwonted

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "sklearn", "pyarrow", "matplotlib", "narwhals", "pandas", "polars", "scipy", "numpy")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_it_loads_nothing_heavy() -> None:
    loaded = run("import sys, unwonted; dir(unwonted); print(*{name.split('.')[0] for name in sys.modules})")
    assert "unwonted" in loaded.split()
    assert not set(HEAVY) & set(loaded.split())


def test_the_registry_can_be_read_without_torch() -> None:
    loaded = run("import sys; from unwonted.models import MODELS; print('torch' in sys.modules, *MODELS)")
    assert loaded.split()[:2] == ["False", "ensemble"]


def test_neither_pandas_nor_polars_is_required() -> None:
    code = """
import sys
sys.modules.update(dict.fromkeys(["pandas", "polars", "pyod", "psutil", "zuko"]))  # None: importing it fails
from unwonted import DMDN
rows = [[float(i % 7), float(i * i % 11)] for i in range(12)]
print(DMDN(max_time=0.1, width=8).fit(rows).predict(rows).shape)
"""
    assert run(code) == "(12,)\n"


@pytest.mark.parametrize("name", unwonted.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(unwonted, name).__doc__
    assert name in dir(unwonted)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Unwanted"):
        _ = unwonted.Unwanted


def test_the_version_is_that_of_the_project() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert unwonted.__version__ == project["version"]


def test_every_file_says_its_job_in_its_first_line() -> None:
    files = [path for path in (ROOT / "src").rglob("*.py") if path.read_text(encoding="utf-8").strip()]
    assert len(files) > 20
    silent = [path.name for path in files if not path.read_text(encoding="utf-8").startswith('"""')]
    assert silent == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-1000:] + built.stderr[-1000:]
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        meta = [name.split("/", 1)[1] for name in archive.namelist() if ".dist-info/" in name]
    source = ROOT / "src"
    there = {
        path.relative_to(source).as_posix()
        for path in (source / "unwonted").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == there
    assert "unwonted/py.typed" in names
    assert any(name.endswith((".html", ".css", ".j2")) for name in names)  # the report's template
    assert "licenses/LICENSE" in meta
    assert "entry_points.txt" in meta


def test_the_wheel_works_without_the_source_beside_it(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import unwonted
from unwonted.models import MODELS, model_class
print(unwonted.__file__)
print(*(model_class(name).__name__ for name in MODELS))
"""
    where, models = run(code).splitlines()
    assert where.startswith(str(tmp_path))
    assert "DMDN" in models
