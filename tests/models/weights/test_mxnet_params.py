"""`.params` files of every version are read; damaged ones end in one clear line and no large allocation."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dffcli.errors import WeightsError
from dffcli.models.weights.mxnet_params import read_mxnet_params
from tests.models.paper.mxnet_writer import FLAGS, VERSIONS, Version, array_header, write_params

ARRAYS = {
    "arg:conv1_weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "arg:bias": np.array([1.5], np.float32),
    "aux:moving_mean": np.linspace(-1, 1, 7, dtype=np.float64),
}


def written(folder: Path, version: Version = "legacy") -> Path:
    path = folder / f"{version}.params"
    write_params(path, ARRAYS.items(), count=len(ARRAYS), version=version)
    return path


def one_array(folder: Path, header: bytes, values: bytes = b"") -> Path:
    path = folder / "one.params"
    path.write_bytes(struct.pack("<QQQ", 0x112, 0, 1) + header + values + struct.pack("<QQ", 1, 1) + b"a")
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_the_same_arrays(version: Version, tmp_path: Path) -> None:
    found = read_mxnet_params(written(tmp_path, version))
    assert list(found) == list(ARRAYS)
    for name, wanted in ARRAYS.items():
        assert found[name].dtype == wanted.dtype
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize("dtype", list(FLAGS))
def test_every_number_type_is_read(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "a.params"
    wanted = np.arange(5).astype(dtype)
    write_params(path, [("a", wanted)], count=1, version="v2")
    found = read_mxnet_params(path)["a"]
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_cut_anywhere_is_refused(version: Version, tmp_path: Path) -> None:
    whole = written(tmp_path, version).read_bytes()
    cut = tmp_path / "cut.params"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        with pytest.raises(WeightsError) as caught:
            read_mxnet_params(cut)
        assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_file_with_wrong_bytes_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), data.draw(st.sampled_from(VERSIONS)))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        with suppress(WeightsError):
            read_mxnet_params(path)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (struct.pack("<I4I", 4, *[2**31] * 4) + struct.pack("<iii", 1, 0, 0), "cut short"),
        (struct.pack("<II2q", 0xF993FAC8, 2, 2**62, 2**62) + struct.pack("<iii", 1, 0, 0), "cut short"),
        (struct.pack("<IiI1q", 0xF993FAC9, 0, 1, -5) + struct.pack("<iii", 1, 0, 0), "shape"),
        (struct.pack("<IiI", 0xF993FAC9, 0, 2**31), "dimensions"),
        (struct.pack("<I", 2**32 - 1), "dimensions"),
        (struct.pack("<IiI1q", 0xF993FAC9, 1, 1, 1) + struct.pack("<iii", 1, 0, 0), "dense"),
        (struct.pack("<II1q", 0xF993FAC8, 1, 1) + struct.pack("<iii", 1, 0, 99), "number type"),
    ],
)
def test_claims_are_not_believed(header: bytes, says: str, tmp_path: Path) -> None:
    path = one_array(tmp_path, header, bytes(16))
    tracemalloc.start()
    with pytest.raises(WeightsError, match=says):
        read_mxnet_params(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000  # bytes
    tracemalloc.stop()


@pytest.mark.parametrize("count", [2**63, 2**32, 1000])
def test_more_arrays_than_fit_are_refused(count: int, tmp_path: Path) -> None:
    path = tmp_path / "many.params"
    path.write_bytes(struct.pack("<QQQ", 0x112, 0, count) + bytes(64))
    with pytest.raises(WeightsError, match="cannot fit"):
        read_mxnet_params(path)


def test_names_must_be_as_many_as_arrays_and_differ(tmp_path: Path) -> None:
    path = tmp_path / "names.params"
    array = array_header(np.zeros(1, np.float32), "v2") + bytes(4)
    start = struct.pack("<QQQ", 0x112, 0, 2) + array * 2
    path.write_bytes(start + struct.pack("<QQ", 1, 1) + b"a")
    with pytest.raises(WeightsError, match="a name for each of 2"):
        read_mxnet_params(path)
    path.write_bytes(start + struct.pack("<Q", 2) + (struct.pack("<Q", 1) + b"a") * 2)
    with pytest.raises(WeightsError, match="repeated"):
        read_mxnet_params(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", bytes(24)])
def test_what_is_not_such_a_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.params"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        read_mxnet_params(path)
    with pytest.raises(WeightsError):
        read_mxnet_params(tmp_path / "absent.params")


def test_an_array_never_filled_is_empty(tmp_path: Path) -> None:
    found = read_mxnet_params(one_array(tmp_path, struct.pack("<IiI", 0xF993FAC9, 0, 0)))
    assert found["a"].size == 0
