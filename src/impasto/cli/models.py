"""``impasto models``: exchange trained models with the Hugging Face Hub."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Trained models: push to and pull from a hub.", no_args_is_help=True)


@app.command("push")
def models_push(
    model: Annotated[str, typer.Argument(help="A model file, or a name of 'impasto styles'.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub.")],
    licence: Annotated[
        str, typer.Option("--licence", help="Of the model, as the hub names it: mit, cc-by-4.0.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Show a new repository to its owner only.")
    ] = False,
) -> None:
    """Send a model to a repository, with its card and its hash."""
    from impasto.models import hub

    typer.echo(hub.push(model, repository, licence=licence, private=private))


@app.command("pull")
def models_pull(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME, or OWNER/NAME@REVISION.")],
) -> None:
    """Fetch a model; -s OWNER/NAME or -m OWNER/NAME then finds it."""
    from impasto.models import hub

    typer.echo(hub.pull(repository))


@app.command("list")
def models_list() -> None:
    """List the models that were pulled."""
    from impasto.cli import console
    from impasto.models import checkpoint, pulled

    rows = []
    for name in pulled.names():
        model = checkpoint.load(pulled.path_of(name), weights=False)
        rows.append((name, model.method, ", ".join(model.styles)))
    console.table(("repository", "method", "names"), rows)
