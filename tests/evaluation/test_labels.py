"""Labels of a comparison: short, and each with what is its own."""

import pytest

from impasto.evaluation.labels import shorten_labels

LAYERS = "style_layers=relu1_1,relu2_1,relu3_1"


@pytest.mark.parametrize(
    ("labels", "short"),
    [
        (["adain:alpha=0.2", "adain:alpha=0.5"], ["adain:alpha=0.2", "adain:alpha=0.5"]),
        (
            [f"mmd:{LAYERS}:losses=gram", f"mmd:{LAYERS}:losses=moments", "wct"],
            ["mmd:losses=gram:…", "mmd:losses=moments:…", "wct"],
        ),
        (
            [f"gatys:{LAYERS}:steps=5", f"gatys:{LAYERS}", "gatys"],
            [f"gatys:{LAYERS}:steps=5", f"gatys:{LAYERS}", "gatys"],  # one has no settings to share
        ),
        (
            [f"gatys:{LAYERS},relu4_1,relu5_1", f"gatys:{LAYERS},conv4_1,relu5_1"],
            ["gatys:style_layers=…,relu4_1,…", "gatys:style_layers=…,conv4_1,…"],
        ),
        (
            [f"gatys:{LAYERS}", f"gatys:{LAYERS},relu4_1"],  # a list that is the other's beginning
            ["gatys:style_layers=…,relu3_1", "gatys:style_layers=…,relu3_1,relu4_1"],
        ),
        ([f"gatys:{LAYERS}:steps=50"], ["gatys:style_layers=relu1_1,relu…"]),
        (["a" * 40, "a" * 31 + "b" * 9], ["a" * 40, "a" * 31 + "b" * 9]),  # cut they were the same
        (["gatys", "gatys"], ["gatys"]),
    ],
)
def test_what_differs_is_shown(labels, short):
    found = shorten_labels(labels)
    assert list(found) == list(dict.fromkeys(labels))
    assert list(found.values()) == short
    assert len(set(found.values())) == len(set(labels))


def test_what_differs_is_never_shortened():
    long = ["+".join(["gram"] * n) for n in (20, 21)]
    assert list(shorten_labels(f"mmd:losses={one}:{LAYERS}" for one in long).values()) == [
        f"mmd:losses={one}:…" for one in long
    ]
