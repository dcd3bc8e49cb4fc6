"""`regard size`: names, folders, configs, models in hand; one, several and all; what is no size is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import transformers
from asking import ask, refused

import regard
from regard.inspection.size.published import published
from regard.tasks.size import names

FALCON = {"model_type": "falcon", "vocab_size": 97, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}


def told(*arguments: str | Path) -> list[dict]:
    status, out, err = ask("size", *arguments, "--format", "json")
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def written(folder: Path, fields: object) -> Path:
    (folder / "config.json").write_text(json.dumps(fields))
    return folder / "config.json"


def test_gpt3_in_json() -> None:
    (found,) = told("gpt3")
    parts = found["parts"]
    assert sum(parts.values()) == found["total"]
    assert found["total"] == pytest.approx(175e9, rel=0.005)
    assert sum(parts[part] for part in ("query", "key", "value", "output")) == found["attention"] == 57_982_058_496
    assert found["attention_share"] == found["attention"] / found["total"]
    assert found["bytes"] == {"fp32": 4 * found["total"], "bf16": 2 * found["total"], "int8": found["total"]}
    assert found["context"] == 1024
    assert found["flops_per_token"]["total"] == sum(
        found["flops_per_token"][part] for part in ("matrices", "attention")
    )
    assert found["cache_bytes_per_token"]["bf16"] == 2 * 2 * 96 * 12288
    assert "Brown" in found["source"]
    assert found["year"] == 2020


def test_in_words_as_in_numbers() -> None:
    status, out, _ = ask("size", "gpt3")
    assert status == 0
    assert "57,982,058,496" in out
    assert "attention (query, key, value, output) has 57.98 B of 174.6 B parameters" in " ".join(out.split())


def test_several_in_one_table() -> None:
    status, out, _ = ask("size", "gpt2", "gpt3", "en-fr")
    assert status == 0
    head = next(line for line in out.splitlines() if line.startswith("part"))
    assert head.split() == ["part", "gpt2", "%", "gpt3", "%", "en-fr", "%"]
    assert "en-fr: attention has no parameters" in " ".join(out.split())
    assert [each["name"] for each in told("gpt2", "gpt3", "en-fr")] == ["gpt2", "gpt3", "en-fr"]


def test_all_of_them() -> None:
    status, out, _ = ask("size")
    assert status == 0
    assert [each["name"] for each in told()] == names()
    assert {"gpt2", "gpt3", "llama-3-8b", "bert-base", "t5-small", "opus-mt-en-fr", "qwen3-8b"} <= set(published())
    assert all(name in out for name in ("gpt3", "tiny-gpt"))


@pytest.mark.parametrize("name", ["tiny-gpt", "tang", "en-fr", "en-fr-fixed", "en-fr-transformer"])
def test_bundled_models_have_what_they_hold(name: str) -> None:
    """Every loaded parameter is counted; a translator’s waves are some to `transformers`, its head’s bias is none."""
    (found,) = told(name)
    held = regard.load(name)
    waves = 2 * 1024 * 256 - 5000 if name == "en-fr-transformer" else 0
    assert found["total"] == sum(each.numel() for each in held.model.parameters()) + waves
    assert regard.size(held).total == found["total"]


def test_a_context_is_asked_for_and_kept_within_reach() -> None:
    short, long = told("gpt2", "--context", "7")[0], told("gpt2", "--context", "9999")[0]
    assert (short["context"], long["context"]) == (7, 1024)
    assert long["flops_per_token"]["attention"] * 7 == short["flops_per_token"]["attention"] * 1024
    assert short["flops_per_token"]["matrices"] == long["flops_per_token"]["matrices"]


def test_a_folder_a_config_and_a_model_in_hand(tmp_path: Path) -> None:
    """A family without formulas: the library builds it."""
    config = written(tmp_path, FALCON)
    sizes = {name: value for name, value in FALCON.items() if name != "model_type"}
    model = transformers.FalconForCausalLM(transformers.FalconConfig(**sizes))
    assert told(config)[0]["total"] == told(tmp_path)[0]["total"] == model.num_parameters()
    assert regard.size(model).parts == told(config)[0]["parts"]


def test_a_compressed_folder_is_counted_and_said(tmp_path: Path) -> None:
    path = written(tmp_path, published()["gpt2"].config | {"quantization_config": {"quant_method": "gptq", "bits": 4}})
    (found,) = told(path)
    assert (found["total"], found["compressed"]) == (124_439_808, "gptq")
    assert "compressed (gptq)" in " ".join(ask("size", path).out.split())


def test_programs_of_a_config_are_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, published()["gpt2"].config | {"auto_map": {"AutoConfig": "evil.Config"}})
    assert told(path)[0]["total"] == 124_439_808
    assert "not run" in refused("size", written(tmp_path, {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C"}}))


def test_the_hub_is_asked_for_the_config_alone() -> None:
    """With no network and nothing in the cache there is none."""
    assert "no cached id" in refused("size", "somebody/gpt2")


def test_drawn_with_bars(tmp_path: Path) -> None:
    place = tmp_path / "sizes.html"
    assert ask("size", "gpt2", "gpt3", "-o", place).code == 0
    page = place.read_text()
    assert "57.98 B" in page
    assert '"bars"' in page
    png = tmp_path / "sizes.png"
    assert ask("size", "bert-base", "-o", png, "--lang", "zh-Hant").code == 0
    assert png.stat().st_size > 10_000
    into = tmp_path / "sizes.json"
    assert ask("size", "gpt2", "-o", into).code == 0
    assert json.loads(into.read_text())["total"] == 124_439_808


@pytest.mark.parametrize(("lang", "word"), [("zh-Hant", "注意力（查詢"), ("zh-Hans", "注意力（查询")])
def test_in_chinese(lang: str, word: str) -> None:
    status, out, _ = ask("size", "mixtral-8x7b", "--lang", lang)
    assert status == 0
    assert word in out


def test_what_has_no_size_is_refused(tmp_path: Path) -> None:
    assert "gpt3" in refused("size", "gtp3")
    assert "no config.json" in refused("size", tmp_path)
    assert "n_embd" in refused("size", written(tmp_path, {"model_type": "gpt2", "n_positions": 5}))
    assert "'12'" in refused("size", written(tmp_path, published()["gpt2"].config | {"n_layer": "12"}))
    assert "JSON" in refused("size", written(tmp_path, [1, 2]))
    assert "falcon" in refused("size", written(tmp_path, FALCON | {"model_type": "falcn"}))
    assert "--context 0" in refused("size", "gpt2", "--context", "0")
    assert "json" in refused("size", "gpt2", "--format", "jsn")
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    assert "JSON" in refused("size", tmp_path / "model.safetensors")


def test_no_torch_is_loaded_for_a_published_model() -> None:
    program = "import sys\nfrom regard.tasks.size import size\nsize('gpt3').json()\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
