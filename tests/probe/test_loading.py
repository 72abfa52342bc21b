"""Loading: directories, the hub and its cache, devices and dtypes, and what is refused."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import probe
from probe.loading import resolve_device, resolve_dtype
from probe.options import Best
from tests.conftest import ModelFolder
from tests.tiny import MASKED_LMS, WINDOW

WORDS = ["The", "gardener", "slept", "."]


def load(folder: Path | str, **options: str) -> probe.Probe:
    """Load on the CPU in float32, unless told otherwise."""
    return probe.load(folder, **{"device": "cpu", "dtype": "float32", **options})


@pytest.fixture
def copied(model_folder: ModelFolder, tmp_path: Path) -> Path:
    """A tiny BERT in a folder that the test may spoil."""
    return Path(shutil.copytree(model_folder("bert"), tmp_path / "spoilt"))


@pytest.mark.parametrize("name", MASKED_LMS)
def test_every_architecture_has_its_window_and_a_head(name: str, model_folder: ModelFolder) -> None:
    loaded = load(model_folder(name))
    assert (loaded.window, loaded.has_head, loaded.n_layers) == (WINDOW, True, 3)
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


def test_a_path_or_its_text(model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model_folder("roberta")
    monkeypatch.chdir(folder.parent)
    found = [
        load(name).impact(WORDS).values for name in (folder, str(folder), folder.name, f"./{folder.name}")
    ]
    assert all(np.array_equal(found[0], values) for values in found)


def test_a_byte_level_tokenizer_gets_its_prefix_space(model_folder: ModelFolder) -> None:
    saved = json.loads((model_folder("modernbert") / "tokenizer.json").read_text(encoding="utf-8"))
    assert not saved["pre_tokenizer"]["add_prefix_space"]
    alignment = load(model_folder("modernbert")).align(["the", "the"])
    pieces = [alignment.ids[alignment.positions[alignment.unit_of == unit]].tolist() for unit in (0, 1)]
    assert pieces[0] == pieces[1]


def test_an_encoder_without_a_head(model_folder: ModelFolder) -> None:
    loaded = load(model_folder("bert_without_head"))
    assert not loaded.has_head
    whole = load(model_folder("bert"))
    loaded.impact(WORDS, metric=["dist", "cos"])
    assert whole.has_head
    with pytest.raises(probe.ModelError, match="has no masked-LM head, which metric kl and prob needs"):
        loaded.impact(WORDS, metric=["dist", "prob", "kl"])


def test_loading_changes_no_setting_of_transformers(model_folder: ModelFolder) -> None:
    import logging

    from transformers.utils import logging as reports

    before = reports.get_verbosity(), reports.is_progress_bar_enabled()
    hub_before = logging.getLogger("huggingface_hub").level
    load(model_folder("bert"))
    with pytest.raises(probe.ModelError):
        load("/none/such")
    assert (reports.get_verbosity(), reports.is_progress_bar_enabled()) == before
    assert logging.getLogger("huggingface_hub").level == hub_before


# --- random weights


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not say what is mapped")
def test_a_file_is_mapped_and_not_copied(model_folder: ModelFolder) -> None:
    folder = model_folder("bert")
    mapped = probe.load(folder, device="cpu", dtype="float32")
    converted = probe.load(folder, device="cpu", dtype="bfloat16")
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    file = str((folder / "model.safetensors").resolve())
    places = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines if line.endswith(file)]

    def is_mapped(model: probe.Probe) -> set[bool]:
        tensors = [*model.model.base_model.parameters()]
        return {any(begin <= tensor.data_ptr() < end for begin, end in places) for tensor in tensors}

    assert is_mapped(mapped) == {True}
    assert is_mapped(converted) == {False}


def test_random_weights_are_those_of_their_seed(model_folder: ModelFolder) -> None:
    loaded = load(model_folder("bert"))
    state = torch.get_rng_state()
    first, again, other = (loaded.with_random_weights(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    values = [one.impact(WORDS).values for one in (loaded, first, again, other)]
    assert np.array_equal(values[1], values[2])
    assert not np.allclose(values[0], values[1]) and not np.allclose(values[1], values[3])


def test_random_weights_keep_all_but_the_weights(model_folder: ModelFolder) -> None:
    loaded = load(model_folder("roberta"), dtype="float64")
    blank = loaded.with_random_weights(seed=3)
    assert blank.name == f"{loaded.name} (random weights, seed 3)"
    assert (blank.window, blank.dtype, blank.device) == (loaded.window, loaded.dtype, loaded.device)
    assert blank.tokenizer is loaded.tokenizer
    shapes = [{k: v.shape for k, v in one.model.state_dict().items()} for one in (loaded, blank)]
    assert shapes[0] == shapes[1]
    assert not blank.model.training


# --- devices and dtypes


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "float16"])
def test_a_dtype_by_name(name: str, model_folder: ModelFolder) -> None:
    loaded = load(model_folder("bert"), dtype=name)
    assert loaded.dtype == getattr(torch, name)
    wanted = np.float64 if name == "float64" else np.float32
    assert loaded.impact(WORDS).values.dtype == wanted


def test_float32_is_the_default_on_every_machine(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert resolve_dtype("auto") == torch.float32
    assert probe.load(model_folder("bert"), device="cpu").dtype == torch.float32


@pytest.mark.parametrize("share", [0.5, 1.1])
def test_the_fastest_dtype_is_measured_and_said(
    share: float, model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load(model_folder("bert")).impact(WORDS).values
    monkeypatch.setattr(
        "probe.calibration._seconds", lambda model: 0.2 * share if model.dtype == torch.bfloat16 else 0.2
    )
    wins = "bfloat16" if share < 1 else "float32"
    said = f"dtype fastest is {wins} here .float32 200 ms, bfloat16 {200 * share:.0f} ms"
    with pytest.warns(probe.ProbeWarning, match=said):
        loaded = load(model_folder("bert"), dtype="fastest")
    assert loaded.dtype == getattr(torch, wins)
    if wins == "float32":
        assert np.array_equal(loaded.impact(WORDS).values, expected)


@pytest.mark.parametrize("name", ["float", "int8", "", "Tensor"])
def test_an_unknown_dtype(name: str) -> None:
    with pytest.raises(probe.OptionError, match=f"unknown dtype '{name}'"):
        resolve_dtype(name)


def test_devices_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(probe.OptionError, match="no device 'cuda' here: there are auto, cpu"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    for absent in ("cuda:2", "gpu", ""):
        with pytest.raises(probe.OptionError, match=f"no device '{absent}' here: there are auto, cuda, "):
            resolve_device(absent)


# --- what is refused


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(probe.ModelError, match=r"no config\.json in this directory"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["./none", "/none/such", "a/b/c", "~/none-such"])
def test_a_path_that_is_none(name: str) -> None:
    with pytest.raises(probe.ModelError, match="no such model directory"):
        load(name)


def test_an_empty_name() -> None:
    with pytest.raises(probe.ModelError, match="the name of a model is expected"):
        load("")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", "cut"),
        ("model.safetensors", b""),
        ("model.safetensors", None),
        ("config.json", b"{"),
        ("config.json", b"{}"),
        ("tokenizer.json", b"{"),
    ],
)
def test_a_spoilt_file_is_a_model_error_of_one_line(copied: Path, file: str, content: Any) -> None:
    path = copied / file
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(whole[: len(whole) // 2] if content == "cut" else content)
    with pytest.raises(probe.ModelError, match="a file is missing or damaged") as caught:
        load(copied)
    assert str(caught.value).startswith(f"{copied}: ") and "\n" not in str(caught.value)


def test_weights_that_lack_a_layer(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if ".layer.1." not in name}
    save_file(kept, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        probe.ModelError, match=r"its weights lack bert\.encoder\.layer\.1\..* the file is incomplete"
    ):
        load(copied)


def test_a_tokenizer_without_its_vocabulary(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    with pytest.raises(probe.ModelError, match="its tokenizer has no vocabulary"):
        load(copied)


def test_the_tokenizer_of_another_model(copied: Path, model_folder: ModelFolder) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_folder("roberta") / name, copied / name)
    with pytest.raises(
        probe.ModelError, match=r"its tokenizer has ids up to \d+, but the model has only \d+"
    ):
        load(copied)


@pytest.mark.parametrize("target", ["AutoConfig", "AutoModelForMaskedLM", "AutoTokenizer"])
def test_code_that_comes_with_a_model_is_never_run(
    target: str, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("the user must not be asked"))
    ran = tmp_path / "ran"
    (copied / "theirs.py").write_text(
        f"open({str(ran)!r}, 'w').close()\nclass Theirs: pass\n", encoding="utf-8"
    )
    file = "tokenizer_config.json" if target == "AutoTokenizer" else "config.json"
    config = json.loads((copied / file).read_text(encoding="utf-8"))
    code: Any = ["theirs.Theirs", None] if target == "AutoTokenizer" else "theirs.Theirs"
    changed = {**config, "auto_map": {target: code}, "model_type": "theirs", "tokenizer_class": "Theirs"}
    (copied / file).write_text(json.dumps(changed), encoding="utf-8")
    with suppress(probe.ModelError):  # refused, or loaded as a model that transformers itself knows
        load(copied)
    assert not ran.exists()


def test_the_directory_says_which_layer_and_pool_are_best(copied: Path) -> None:
    (copied / "probe.json").unlink()
    assert probe.load(copied, device="cpu").best == Best(guess=True)
    (copied / "probe.json").write_text('{"layer": 1, "pool": "max"}', encoding="utf-8")
    loaded = probe.load(copied, device="cpu")
    assert loaded.best == Best(1, "max")
    found = loaded.impact(["a", "cat"])
    assert (found.layer, found.pool) == (1, "max")
    assert loaded.with_random_weights().best == Best(1, "max")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"layer": 9, "pool": "max"}', "probe.json gives layer 9, the model has 0 to 3"),
        ('{"layer": 1, "pool": "maxi"}', "probe.json must give a layer and a pool .*did you mean 'max'"),
        ('{"layer": 1}', "probe.json must give a layer and a pool"),
        ("[1]", "probe.json must give a layer and a pool"),
        ("{", "probe.json must give a layer and a pool"),
        ('{"layer": 1.9, "pool": "max"}', "probe.json gives layer 1.9, the model has 0 to 3"),
        ('{"layer": true, "pool": "max"}', "probe.json gives layer True, the model has 0 to 3"),
        ('{"layer": 1e400, "pool": "max"}', "found 1e400, which is beyond a float"),
        ('{"layer": NaN, "pool": "max"}', "JSON is expected, found NaN"),
        ('{"layer": 1, "pool": 1e3}', "probe.json must give a layer and a pool"),
        ('{"layer": 1, "pool": "max", "layers": {"single": "2"}}', "probe.json gives layer '2'"),
        ('{"layer": 1, "pool": "max", "layers": [1]}', "probe.json must give a layer and a pool"),
        ('{"layer": ' + 5_000 * "1" + "}", "a number of thousands of digits"),
        (100_000 * "[", "found brackets nested too deeply"),
        (json.dumps({"layer": 1, "pool": 50_000 * "max"}), "probe.json must give a layer and a pool"),
    ],
)
def test_a_bad_choice_of_layer_and_pool(copied: Path, content: str, message: str) -> None:
    (copied / "probe.json").write_text(content, encoding="utf-8")
    with pytest.raises(probe.ModelError, match=message) as caught:
        probe.load(copied, device="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("said", ["x", -5, 0, True, 1.5, [1], {"a": 1}])
def test_a_tokenizer_without_a_sensible_window(copied: Path, said: object) -> None:
    path = copied / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(settings | {"model_max_length": said}), encoding="utf-8")
    with pytest.raises(probe.ModelError, match=r"model_max_length|cannot be loaded") as caught:
        probe.load(copied, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_settings_nested_too_deeply(copied: Path, file: str) -> None:
    path = copied / file
    text = path.read_text(encoding="utf-8").rstrip().removesuffix("}")
    path.write_text(f'{text}, "deep": {100_000 * "["}{100_000 * "]"}}}', encoding="utf-8")
    with pytest.raises(probe.ModelError, match="cannot be loaded"):
        probe.load(copied, device="cpu")


def test_a_name_of_any_length_makes_a_short_message() -> None:
    for name in ("./" + "x" * 10_000, "x/" * 10_000, "a\nb/c/d"):
        with pytest.raises(probe.ModelError) as caught:
            probe.load(name, device="cpu")
        assert len(str(caught.value)) < 400
        assert "\n" not in str(caught.value)
