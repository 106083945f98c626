"""The verb `judge add`: add files of answers to the judgements."""

from pathlib import Path

import click

from arena.cli.judge.options import judgements_option


@click.command("add")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@judgements_option
def add(files: tuple[Path, ...], judgements: Path) -> None:
    """Add files of answers, CSV or Parquet, to the judgements; a row that is there already is not added again.

    Example: arena judge add answers-anna.csv answers-ben.csv
    """
    from arena.base.format import plural
    from arena.dataset.judgements import distinct_answers
    from arena.pipeline.judge import add_answers

    rows = distinct_answers(add_answers(files, judgements))
    people = plural(rows["judge"].nunique(), "person", "people")
    click.echo(f"{judgements}: {plural(len(rows), 'answer', 'answers')} of {people}")
