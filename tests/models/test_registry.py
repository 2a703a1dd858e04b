"""Models at rest: ONNX only, by hash, one revision per version."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.models.scenes import linear

from paribus.errors import DefinitionError, InputError, NotFound, StorageError
from paribus.models import FeatureDoc, ModelDoc, OnnxModel, check_model, load, register
from paribus.store import Store, open_store

INPUTS = (FeatureDoc(name="visits"), FeatureDoc(name="days"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    yield opened
    opened.close()


def put(store: Store, folder: Path, content: bytes, inputs: tuple[FeatureDoc, ...] = INPUTS) -> int:
    return register(
        store, folder, "offer", content, inputs=inputs, owner="ml", author="ada", reason="new"
    ).revision  # fmt: skip


def test_a_registered_model_scores_by_name(store: Store, tmp_path: Path) -> None:
    content = linear([2.0, -1.0], 0.5)
    assert put(store, tmp_path, content) == 1
    model = load(store, tmp_path, "offer")
    assert model.document.sha256 == hashlib.sha256(content).hexdigest()
    assert model.score({"days": 3.0, "visits": 4.0, "unused": 9.0}) == pytest.approx(2 * 4 - 3 + 0.5)
    two = model.scores(model.matrix([{"visits": 1, "days": 0}, {"visits": 0, "days": 1}]))
    np.testing.assert_allclose(two, [2.5, -0.5])


def test_of_several_columns_the_last_is_the_score(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, linear([1.0, 1.0], columns=2))
    assert load(store, tmp_path, "offer").score({"visits": 0.25, "days": 0.5}) == pytest.approx(0.75)


def test_the_same_again_writes_nothing_and_versions_stay(store: Store, tmp_path: Path) -> None:
    first, second = linear([1.0, 0.0]), linear([0.0, 1.0])
    assert [put(store, tmp_path, each) for each in (first, first, second)] == [1, 1, 2]
    row = {"visits": 5.0, "days": 7.0}
    assert load(store, tmp_path, "offer").score(row) == 7
    assert load(store, tmp_path, "offer", 1).score(row) == 5


def test_a_file_that_changed_or_is_gone_is_told(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path, linear([1.0, 0.0]))
    [path] = (tmp_path / "models").glob("*.onnx")
    path.write_bytes(linear([9.0, 0.0]))
    with pytest.raises(DefinitionError, match="not the one that was registered"):
        load(store, tmp_path, "offer")
    path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        load(store, tmp_path, "offer")
    with pytest.raises(NotFound):
        load(store, tmp_path, "another")


class Trap:
    """Unpickled, it would leave a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("trapped"),)  # type: ignore[return-value]


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("data.pkl", b"x")
    return target.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_no_pickle_is_accepted_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DefinitionError) as error:
        check_model(pickle.dumps(Trap(), protocol=protocol), "planted")
    assert "ONNX" in (error.value.rule or "")
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("content", [b"", zipped(), b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08", b"hello", b"\x08garbage"])
def test_other_files_are_refused(store: Store, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DefinitionError):
        put(store, tmp_path, content)
    assert not (tmp_path / "models").exists()


def test_the_document_must_name_the_models_inputs(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="says 1 features"):
        put(store, tmp_path, linear([1.0, 2.0]), INPUTS[:1])
    content = linear([1.0, 2.0])
    document = ModelDoc(sha256=check_model(content, "x"), size=len(content), inputs=INPUTS, owner="ml")
    model = OnnxModel(content, document)
    with pytest.raises(InputError, match="'days' is missing"):
        model.score({"visits": 1.0})
    with pytest.raises(InputError, match="no number"):
        model.score({"visits": 1.0, "days": "many"})  # type: ignore[dict-item]
