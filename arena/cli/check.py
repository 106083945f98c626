"""The verb `check`: decide whether a candidate may replace the baseline."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError, VerdictError
from arena.cli.options import (
    add_display_options,
    aliases_option,
    baselines_option,
    batch_option,
    bootstrap_option,
    config_option,
    device_option,
    judgements_option,
    limit_option,
    names_entrants,
    option,
    overwrite_option,
    paired_settings_of,
    precision_option,
    root_option,
    threshold_option,
)
from arena.pipeline.grammar import GRAMMAR


@click.command()
@config_option
@click.argument("candidate", required=False)
@option("--baseline", help="Entrant that the candidate would replace.", show_default=False)
@option(
    "--policy",
    type=click.Path(path_type=Path),
    help="TOML file whose keys override the default policy.",
    show_default=False,
)
@option("--show-policy", is_flag=True, help="Print the default policy with comments and exit.", show_default=False)
@option(
    "--proposed-policy", type=click.Path(path_type=Path), show_default=False, metavar="FILE",
    help="Policy of a pull request. It is not used; the verdict lists how it differs.",
)  # fmt: skip
@option(
    "--proposed-baselines", type=click.Path(path_type=Path), show_default=False, metavar="FOLDER",
    help="Baselines of a pull request. They are not used; the verdict lists how they differ.",
)  # fmt: skip
@option(
    "--dataset",
    "-d",
    help="Card, frozen folder or truth .npz.  [default: the runs' dataset, or demo]",
    show_default=False,
)
@option(
    "--output", "-o", type=click.Path(path_type=Path), help="Folder.  [default: checks/CANDIDATE-vs-BASELINE]",
    show_default=False,
)  # fmt: skip
@aliases_option
@baselines_option
@option(
    "--canary", is_flag=True, help="Fail if the canary scores change, even for different weights.", show_default=False
)
@option(
    "--diagnose",
    type=click.IntRange(0, 256),
    default=16,
    metavar="N",
    help="Images used to search for a cause; 0: no search.",
)
@limit_option
@option("--seed", type=int, default=0, help="Seed of the bootstrap and of --limit.")
@bootstrap_option
@threshold_option
@judgements_option
@batch_option
@device_option
@precision_option
@overwrite_option
@add_display_options
@root_option
@names_entrants
def check(candidate: str | None, baseline: str | None, show_policy: bool, output: Path | None, **settings: Any) -> None:
    """Say whether a release candidate may replace the baseline, and why.

    {entrants} Each of the two must name one model. A published file is compared unpaired, with less certainty.

    Writes a run folder of both models with check.html, check.json, junit.xml, check.md and a badge. Exits with 0 if the
    candidate passes, 1 if it fails, 3 if these images cannot decide, 4 if the two cannot be compared. After an interruption,
    the same command continues.

    With --judgements and a policy with judged = true in [margins], answers of people decide macro F1 and micro F1.

    Example: arena check runs/new --baseline runs/old
    """
    if show_policy:
        from arena.gate.policy import default_policy

        click.echo(default_policy(), nl=False)
        return
    if candidate is None or baseline is None:
        raise ArenaError(f"arena check: name CANDIDATE and --baseline BASE; each is an entrant: {GRAMMAR}")
    from arena.cli.terminal.check import report_to_ci, show_verdict
    from arena.cli.terminal.console import Terminal
    from arena.pipeline.check.check import check_candidate as check_both
    from arena.pipeline.check.proposal import proposed_baselines_notes, proposed_policy_notes
    from arena.report.check import words

    notes: list[str] = []
    if settings["proposed_policy"]:
        notes += proposed_policy_notes(settings["policy"], settings["proposed_policy"])
    if settings["proposed_baselines"]:
        notes += proposed_baselines_notes(settings["baselines"], settings["proposed_baselines"])
    asked = replace(paired_settings_of(settings), notes=notes)
    found = check_both(
        candidate, baseline=baseline, policy=settings["policy"], output=output, asked=asked, diagnose=settings["diagnose"],
        progress=Terminal(),
    )  # fmt: skip
    show_verdict(found.verdict, found.folder / "check.html")
    report_to_ci(found.verdict)
    if found.verdict.exit_code:
        raise VerdictError(words.verdict_sentence(found.verdict), found.verdict.exit_code)
