"""Push models to the Hugging Face Hub, and pull them from it, with their cards and hashes."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from impasto._version import __version__
from impasto.errors import InputError, MissingExtraError, WeightsError
from impasto.models import checkpoint, pulled, zoo

MODEL, CARD, FACTS = f"model{checkpoint.SUFFIX}", "README.md", "impasto.json"

_TAGS = ("impasto", "style-transfer", "neural-style-transfer")


def push(
    source: str | os.PathLike[str], repository: str, *, licence: str, private: bool = False
) -> str:
    """Send a model to a repository, which is created if there is none; return its address.

    The repository gets the model, its card, and its SHA-256.

    Args:
        source: A model's file, its name, or the name of a style it has learned.
        repository: ``owner/name``.
        licence: An identifier that the hub knows, such as ``mit`` or ``cc-by-4.0``.
        private: Whether only the owner sees a new repository.

    Raises:
        InputError: The repository's name or the licence is none, or the hub refuses it.
        MissingExtraError: The client of the hub is not installed.
        WeightsError: The file is no model.
    """
    name, _ = _parse(repository, revision=False)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", licence):
        raise InputError(f"licence is {licence!r}: name it as the hub does, such as mit")
    path = zoo.model_of(source)
    files = _files(name, path, licence)
    client = _client()
    from huggingface_hub import CommitOperationAdd

    with _errors(name):
        client.create_repo(name, private=private, exist_ok=True)
        client.create_commit(
            name,
            [CommitOperationAdd(file, content) for file, content in files.items()],
            commit_message=f"{path.name}, of Impasto {__version__}",
        )
    return f"{client.endpoint}/{name}"


def pull(repository: str) -> Path:
    """Fetch a model into the user's folder, where it is found by the name of its repository.

    Args:
        repository: ``owner/name``, or ``owner/name@REVISION`` with a branch, a tag or a commit.

    Returns:
        The path of the model.

    Raises:
        InputError: There is no such repository or revision, or it holds no model of Impasto.
        MissingExtraError: The client of the hub is not installed.
        WeightsError: The file does not have the hash that the repository states, or is no model.
    """
    name, revision = _parse(repository)
    client = _client()
    target = pulled.path_of(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as folder:
            with _errors(repository):
                commit = client.model_info(name, revision=revision).sha
                options = {"revision": commit, "local_dir": folder}
                facts = Path(client.hf_hub_download(name, FACTS, **options)).read_bytes()
                wanted = _hash(facts, repository)
                path = Path(client.hf_hub_download(name, MODEL, **options))
            _check(path, wanted, repository)
            path.replace(target)
    except OSError as error:
        reason = f"{error.strerror}: name another place in IMPASTO_MODELS"
        raise InputError(f"{repository} cannot be stored at {target}: {reason}") from error
    return target


def write_card(repository: str, path: Path, model: checkpoint.Model, licence: str) -> str:
    """Return a model's card in Markdown, with the header that the hub reads.

    The card is the file with the ending ``.md`` beside the model, if there is one; otherwise it is
    made from the model's own header.

    Args:
        repository: ``owner/name``.
        path: Of the model.
        model: The model; its weights are not used.
        licence: Of the model.
    """
    tags = "\n".join(f"- {tag}" for tag in (*_TAGS, model.method))
    kind = "unconditional-image-generation" if model.card.get("kind") == "texture" else None
    head = f"---\nlicense: {licence}\nlibrary_name: impasto\n"
    head += f"pipeline_tag: {kind or 'image-to-image'}\ntags:\n{tags}\n---\n\n"
    written = path.with_suffix(".md")
    if written.is_file():
        text = written.read_text(encoding="utf-8")
        body = re.sub(r"^!\[.*\]\((?!https?://).*\)\n?", "", text, flags=re.MULTILINE).strip()
    else:
        body = f"# {repository.partition('/')[2]}\n\n{_table(model)}"
    return f"{head}{body}\n\n## Use\n\n```\n{_commands(repository, model)}\n```\n"


def _files(repository: str, path: Path, licence: str) -> dict[str, bytes]:
    """Return the files of a repository."""
    model, data = checkpoint.load(path, weights=False), path.read_bytes()
    facts = {
        "file": MODEL,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "method": model.method,
        "styles": list(model.styles),
        "impasto": __version__,
    }
    card = write_card(repository, path, model, licence)
    return {
        MODEL: data,
        CARD: card.encode(),
        FACTS: (json.dumps(facts, indent=2) + "\n").encode(),
    }


def _table(model: checkpoint.Model) -> str:
    card: Mapping[str, Any] = model.card
    rows = {
        "method": model.method,
        "names": ", ".join(f"`{name}`" for name in model.styles),
        "steps": card.get("steps"),
        "made by": f"`{card['command']}`" if card.get("command") else None,
    }
    lines = "".join(f"| {key} | {value} |\n" for key, value in rows.items() if value)
    return f"A model of Impasto.\n\n| | |\n|---|---|\n{lines}"


def _commands(repository: str, model: checkpoint.Model) -> str:
    """Return the commands that fetch and use a model."""
    more = f"#{model.styles[0]}" if len(model.styles) > 1 else ""
    use = {
        "texture": f"impasto texture {repository}{more} -o out.png",
        "upscale": f"impasto upscale photo.jpg -m {repository} -o out.png",
        "any": f"impasto stylize photo.jpg -s painting.jpg -m {repository} -o out.png",
    }
    plain = f"impasto stylize photo.jpg -s {repository}{more} -o out.png"
    line = use.get(str(model.card.get("kind", "style")), plain)
    return f"pip install 'impasto[hub]'\nimpasto models pull {repository}\n{line}"


def _parse(text: str, *, revision: bool = True) -> tuple[str, str | None]:
    """Split ``owner/name@revision``."""
    name, at, wanted = text.partition("@")
    if not pulled.is_repository(name) or (at and not (revision and wanted)):
        form = "owner/name or owner/name@revision" if revision else "owner/name"
        raise InputError(f"{text!r} is no repository: it looks like {form}")
    return name, wanted or None


def _client() -> Any:
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtraError("the hub of models", "hub") from error
    address = os.environ.get("HF_ENDPOINT") or None
    return HfApi(endpoint=address, library_name="impasto", library_version=__version__)


@contextmanager
def _errors(repository: str) -> Iterator[None]:
    """Convert the errors of the client of the hub to one line each."""
    from huggingface_hub import errors

    try:
        yield
    except InputError:
        raise
    except errors.LocalEntryNotFoundError as error:  # the connection broke after the first request
        raise InputError(f"{repository}: the hub cannot be reached") from error
    except errors.EntryNotFoundError as error:
        raise InputError(
            f"{repository} holds no model of Impasto: it lacks {FACTS} or {MODEL}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise InputError(f"{repository}: the repository has no such revision") from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"no repository {repository}; if it is private, log in with 'hf auth login'"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        reason = (error.server_message or error.response.reason_phrase).rstrip(".")
        hint = ": log in with 'hf auth login'" if status in {401, 403} else ""
        raise InputError(f"{repository}: the hub answers {status}, {reason}{hint}") from error
    except ValueError as error:  # of the card's header
        reason = " ".join(str(error).split())
        raise InputError(f"{repository}: the hub refuses the card ({reason})") from error
    except (OSError, _transport_error()) as error:
        raise InputError(f"{repository}: the hub cannot be reached ({error})") from error


def _transport_error() -> type[Exception]:
    """Return the error of the HTTP library that the client of the hub uses: httpx or httpx2."""
    from huggingface_hub import get_session

    library = importlib.import_module(type(get_session()).__module__.partition(".")[0])
    error: type[Exception] = library.TransportError
    return error


def _hash(facts: bytes, repository: str) -> str:
    """Return the SHA-256 that a repository states for its model."""
    try:
        return str(json.loads(facts)["sha256"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{repository} holds no model of Impasto: {FACTS} is broken") from error


def _check(path: Path, wanted: str, repository: str) -> None:
    """Check the hash of a file, and that it is a model."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wanted:
        raise WeightsError(
            f"{repository}: {MODEL} has SHA-256 {digest}, but {FACTS} states {wanted}: "
            f"it is not installed"
        )
    try:
        checkpoint.load(path, weights=False)
    except WeightsError as error:
        reason = str(error).partition(": ")[2]
        raise WeightsError(f"{repository}: {MODEL} {reason}; it is not installed") from error
