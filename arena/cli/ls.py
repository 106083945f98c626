"""The verb `ls`: list models, datasets or tags."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from arena.cli.options import json_option, option, root_option
from arena.cli.verbs import Verbs


@click.group("ls", cls=Verbs)
def ls() -> None:
    """List models, datasets or tags.

    Example: arena ls models
    """


@ls.command("models")
@json_option
@root_option
def ls_models(as_json: bool, root: Path | None) -> None:
    """List the models that have a card, with licence, input size, number of tags, threshold and training cut-off.

    Column "run" says whether this project has run the published weights. Column "here" is the size of the model's files on
    this machine. The lines below the table list groups of models, other names, and families. A family covers many models:
    replace ARCH with a model's own name.

    Example: arena ls models
    """
    from arena.cards import model_groups, model_patterns
    from arena.cli.terminal.console import show_groups, show_models
    from arena.pipeline import catalogue

    models = catalogue.list_models(root)
    if as_json:
        click.echo(json.dumps([asdict(model) for model in models], indent=1))
    else:
        show_models(models)
        show_groups(model_groups(root), model_patterns(root))


@ls.command("datasets")
@root_option
def ls_datasets(root: Path | None) -> None:
    """List the datasets that have a card.

    Example: arena ls datasets
    """
    from arena.cli.terminal.console import show_table
    from arena.pipeline import catalogue

    show_table(*catalogue.list_datasets(root))


@ls.command("tags")
@option("--dataset", "-d", default="demo", help="Card, or path of a frozen dataset folder.")
@root_option
def ls_tags(dataset: str, root: Path | None) -> None:
    """List the tags of a dataset with category and number of positives.

    Example: arena ls tags -d demo
    """
    from arena.cli.terminal.console import show_table
    from arena.pipeline import catalogue

    show_table(*catalogue.list_tags(dataset, root))
