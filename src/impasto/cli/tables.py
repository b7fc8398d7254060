"""``impasto methods`` and ``impasto styles``: what there is."""

from __future__ import annotations

import json as json_format
from typing import Annotated

import typer

from impasto.cli import app

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def methods(
    json: Json = False,
) -> None:
    """List the methods."""
    from impasto.methods.registry import methods as table

    rows = [
        {
            "name": row.name,
            "family": row.family,
            "abilities": row.abilities.words(),
            "summary": row.summary,
            "papers": [str(paper) for paper in row.papers],
        }
        for row in table()
    ]
    if json:
        typer.echo(json_format.dumps(rows, indent=2))
        return
    from impasto import console

    console.table(
        ("method", "can", "what it does"),
        ((str(row["name"]), str(row["abilities"]), str(row["summary"])) for row in rows),
    )


@app.command()
def styles(json: Json = False) -> None:
    """List what the shipped networks have learned: styles, textures, enlarging."""
    from impasto import catalog, console

    rows = catalog.shipped()
    if json:
        told = [
            {"name": r.name, "kind": r.kind, "method": r.method, "title": r.title} for r in rows
        ]
        typer.echo(json_format.dumps(told, indent=2))
        return
    console.table(
        ("name", "for", "method", "what it is"),
        ((row.name, row.kind, row.method, row.title) for row in rows),
    )
