"""Weights come from the cache, or over the wire with progress, or end in one clear line."""

import hashlib
from pathlib import Path

import pytest

from dffcli.errors import WeightsError
from dffcli.models.registry import model_entries
from dffcli.models.weights.downloads import cache_folder, fetch, reporting


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return tmp_path


def published(folder: Path, content: bytes) -> str:
    file = folder / f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    file.write_bytes(content)
    return file.as_uri()


def test_a_download_is_checked_cached_and_reported(home: Path) -> None:
    content = bytes(3_000_000)
    url = published(home, content)
    seen: list[tuple[str, int, int]] = []
    path = fetch(url, model="net", on_progress=lambda *told: seen.append(told))
    assert path.parent == cache_folder()
    assert path.read_bytes() == content
    assert seen[-1] == (path.name, len(content), len(content))
    (home / path.name).unlink()
    assert fetch(url, model="net") == path


def test_a_file_that_is_not_what_its_name_says_is_not_kept(home: Path) -> None:
    (home / "net-00000000.pth").write_bytes(b"something else")
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch((home / "net-00000000.pth").as_uri(), model="net")
    assert list(cache_folder().iterdir()) == []


def test_offline_says_which_file_where_and_what_to_do(home: Path) -> None:
    url = (home / "absent-12345678.pth").as_uri()
    with pytest.raises(WeightsError) as caught:
        fetch(url, model="fcn_resnet50")
    for part in ("fcn_resnet50", "absent-12345678.pth", str(cache_folder()), url, "--weights"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_catalogued_addresses_are_torchvisions_own() -> None:
    from torchvision.models import get_model_weights

    for entry in model_entries().values():
        if entry.weights_url is not None and entry.weights_url.startswith("https://download.pytorch.org/"):
            weights = get_model_weights(entry.name).DEFAULT
            assert weights.url == entry.weights_url
            assert abs(entry.weights_bytes / 2**20 - weights.meta["_file_size"]) < 0.02


def test_a_download_nobody_listens_to_is_told_to_whoever_reports(home: Path) -> None:
    seen: list[int] = []
    with reporting(lambda _file, done, _total: seen.append(done)):
        fetch(published(home, b"abc"), model="net")
    fetch(published(home, b"other"), model="net")
    assert seen == [3]


def test_flow_networks_are_filled_from_the_cache(home: Path) -> None:
    import torch
    from torchvision.models import get_model_weights
    from torchvision.models.optical_flow import raft_small

    from dffcli.models.torchvision.flows import load_raft

    published_network, network = raft_small(), raft_small()
    cache_folder().mkdir(parents=True)
    path = cache_folder() / get_model_weights("raft_small").DEFAULT.url.rsplit("/", 1)[-1]
    torch.save(published_network.state_dict(), path)
    load_raft("raft_small", network)
    for one, other in zip(network.parameters(), published_network.parameters(), strict=True):
        assert torch.equal(one, other)
