import pytest

from arena.base.errors import ArenaError
from arena.engines import devices
from arena.engines.devices import place_workers


@pytest.mark.parametrize(
    ("device", "workers", "key", "placed"),
    [
        ("auto", 1, "auto", ("auto",)),
        ("cpu", 2, "cpu", ("cpu", "cpu")),
        ("cuda:3", 1, "cuda:3", ("cuda:3",)),
        ("cuda:all", 1, "cuda", ("cuda:0", "cuda:1", "cuda:2", "cuda:3")),
        ("cuda:1,cuda:3", 2, "cuda", ("cuda:1", "cuda:1", "cuda:3", "cuda:3")),
    ],
)
def test_every_device_has_its_workers(
    device: str, workers: int, key: str, placed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_cuda_devices", lambda: 4)
    assert place_workers(device, workers, {}) == (key, placed)


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize(
    ("environment", "count", "own"),
    [
        ({"RANK": "5", "LOCAL_RANK": "1"}, 4, "cuda:1"),
        ({"SLURM_LOCALID": "3"}, 4, "cuda:3"),
        ({"LOCAL_RANK": "2", "SLURM_LOCALID": "0"}, 4, "cuda:2"),
        ({"LOCAL_RANK": "5"}, 4, "cuda:1"),
        ({"SLURM_LOCALID": "3"}, 1, None),
        ({"LOCAL_RANK": "1"}, 0, None),
        ({"LOCAL_RANK": ""}, 4, None),
    ],
)
def test_a_launcher_numbers_the_processes_of_a_machine(
    device: str, environment: dict[str, str], count: int, own: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each process sees one device only, as with Slurm's --gpus-per-task, its number does not matter."""
    monkeypatch.setattr(devices, "_cuda_devices", lambda: count)
    assert place_workers(device, 1, environment) == (device, (own or device,))
    assert place_workers("cuda:2", 1, environment) == ("cuda:2", ("cuda:2",)), "a named device stays"


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda:all", "this machine has no CUDA device; use auto or cpu"),
        ("cuda:0,cpu", "'cpu' is not cuda:N"),
        ("cuda:0,", "'' is not cuda:N"),
        ("cuda:1,cuda:1", "a device is named twice; several workers of one device are --workers N"),
    ],
)
def test_what_names_no_devices_is_one_line(device: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cuda_devices", lambda: 0)
    with pytest.raises(ArenaError, match=words) as raised:
        place_workers(device)
    assert str(raised.value).startswith(f"--device {device}: ")
