"""The queue of trainings: its commands, and the report on a model."""

from pathlib import Path

import pytest
from PIL import Image
from skimage import data

import campaign
import campaign_report
from impasto.api import recipes
from impasto.models import checkpoint as model_files
from impasto.models import zoo

ROOT = Path(__file__).parents[2]
QUEUE = campaign.entries(ROOT / "tools" / "campaign.toml")


@pytest.fixture
def folder(tmp_path):
    for name in ("photos", "paintings", "validation"):
        (tmp_path / name).mkdir()
        for picture in ("astronaut", "coffee")[: 1 if name == "validation" else 2]:
            image = Image.fromarray(getattr(data, picture)()).resize((240, 224))
            image.save(tmp_path / name / f"{picture}.jpg")
    return tmp_path


@pytest.mark.parametrize("name", QUEUE)
def test_every_training_of_the_queue_has_settings_that_its_method_knows(name, tmp_path):
    entry = QUEUE[name]
    recipes.load(entry["method"]).change(entry["set"])
    assert not set(campaign.held_out()) & set(entry.get("styles", ()))
    if len(entry.get("names", ())) > 1:
        assert len(entry["names"]) == len(entry["styles"])
    if entry.get("start"):
        assert (zoo.folder() / f"{entry['start']}.safetensors").is_file()


def test_a_training_takes_over_the_values_of_another():
    assert QUEUE["cin-narrow"]["styles"] == QUEUE["cin"]["styles"]
    assert "--start" not in campaign.command_of("a", QUEUE["cin-narrow"], ROOT, ROOT, ROOT)


def test_the_command_of_a_training(folder):
    (folder / "paintings" / "pd_wikimedia_red_fuji.jpg").touch()  # held back
    entry = {"method": "adain", "styles": "paintings", "start": "adain", "set": {"steps": 3}}
    command = campaign.command_of("mine", entry, folder, folder, ROOT)
    listed = (folder / "paintings.txt").read_text().splitlines()
    assert [Path(line).name for line in listed] == ["astronaut.jpg", "coffee.jpg"]
    assert command[3:5] == ["train", "adain"]
    assert str(ROOT / "src" / "impasto" / "models" / "adain.safetensors") in command
    assert command[-2:] == ["--set", "steps=3"]
    (folder / "adain.safetensors").touch()  # one that this queue has trained goes first
    command = campaign.command_of("mine", entry, folder, folder, ROOT)
    assert str(folder / "adain.safetensors") in command


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "styles"), [("cin-narrow", ["astronaut.jpg"] * 16), ("style-prediction", "paintings")]
)
def test_the_report_on_a_model(folder, monkeypatch, model, styles):
    monkeypatch.setattr(campaign_report, "SIZE", 224)
    monkeypatch.setattr(campaign_report, "BATCHES", 1)
    monkeypatch.setattr(campaign_report, "BATCH", 1)
    if model == "cin-narrow":  # two of its sixteen styles
        monkeypatch.setattr(zoo, "learned_in", lambda path: _inside(path)[:2])
    path = zoo.folder() / f"{model}.safetensors"
    sheet, held = folder / "sheet.jpg", ["astronaut.jpg", "coffee.jpg"]
    entry = {"styles": styles, "paper_images": 100}
    found = campaign_report.measure(path, entry, folder, held, sheet)
    assert Image.open(sheet).width > 3 * 240
    assert found["losses"]["style"] > 0
    assert found["flicker"] > 0
    low, high = (-1.0, 2.5) if model == "cin-narrow" else (0.3, 5.0)  # as they are shipped
    assert low < found["lattice"] < high
    batch = model_files.load(path, weights=False).card["recipe"]["plan"]["batch"]
    assert found["images"] == found["steps"] * batch


_inside = zoo.learned_in
