"""Stylize a photo through a running studio.

    python studio_client.py ADDRESS PHOTO STYLE... OUT.png

A STYLE is a name that the studio offers, or the file of a painting. Needs gradio_client alone.
"""

import shutil
import sys
from pathlib import Path

from gradio_client import Client, handle_file

address, photo, *styles, out = sys.argv[1:]
studio = Client(address, verbose=False)  # auth=("USER", "PASSWORD") if the studio requires it

job = studio.submit(
    photo=handle_file(photo),
    styles=[one for one in styles if not Path(one).exists()],
    paintings=[handle_file(one) for one in styles if Path(one).exists()],
    quality="fast",
    size="256",
    api_name="/stylize",
)
picture, text = job.result()
print(text)
shutil.copyfile(picture, out)
