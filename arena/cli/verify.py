"""The verb `verify`: check that a model runs on this machine and gives its known scores."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from arena.base.errors import FailedError
from arena.cli.options import config_option, json_option, one_device_option, option, precision_option, root_option

if TYPE_CHECKING:
    from arena.cards import Fingerprint, ModelCard
    from arena.diagnostics.fingerprint import CanaryScores, FingerprintDifference


@click.command("verify")
@config_option
@click.argument("model")
@one_device_option
@precision_option
@option(
    "--expect", metavar="FINGERPRINT", show_default=False,
    help="Exit with 1 if the scores differ from this fingerprint.  [default: the card's, if any]",
)  # fmt: skip
@json_option
@root_option
def verify(model: str, device: str, precision: str, expect: str | None, as_json: bool, root: Path | None) -> None:
    """Load a model, score the bundled canary images, and print their highest tags and a fingerprint.

    The fingerprint is the same on other machines, ports and releases, except for floating-point error. It is compared with
    --expect, or else with the card (fingerprint = "..."), with a tolerance for that error. Exits with 1 if it differs, with 4
    if it belongs to another model or other images.

    Example: arena verify joytag-demo
    """
    from arena.cards import find_model
    from arena.cli.terminal.console import Terminal
    from arena.diagnostics.fingerprint import compare_fingerprints, score_canary
    from arena.taggers.files.weights import fetch_files

    card = find_model(model, root)
    expected = _expected(card, expect)
    for one in card.single:
        fetch_files(one, Terminal())
    examined = score_canary(card, device=device, precision=precision)
    agreement = None
    try:  # the scores are shown even if they cannot be compared
        if expected:
            agreement = compare_fingerprints(
                expected=expected.fingerprint, seen=examined.fingerprint, where=expected.where
            )
    finally:
        if as_json:
            _print_json(examined, agreement, verified=card.verified)
        else:
            _show(examined)
    if expected and agreement:
        detail = f"sums of scores differ by at most {agreement.largest:.4f} ({agreement.tolerance:g} is allowed)"
        if not agreement.equal:
            raise FailedError(f"{card.name}: the fingerprint differs from that of {expected.by}: {detail}")
        if not as_json:
            click.echo(f"the fingerprint matches that of {expected.by}: {detail}")
    if not as_json:
        _explain_recording(card, examined)


class _Expected(NamedTuple):
    """A fingerprint, the option or card that expects it, and its place for error messages."""

    fingerprint: "Fingerprint"
    by: str
    where: str


def _expected(card: "ModelCard", expect: str | None) -> _Expected | None:
    """Return the fingerprint of the option, or else of the card."""
    from arena.cards import read_fingerprint

    if expect:
        return _Expected(read_fingerprint(expect, "--expect"), "--expect", "--expect")
    if card.fingerprint:
        return _Expected(card.fingerprint, "its card", f"the card of {card.name}: fingerprint")
    return None


def _print_json(examined: "CanaryScores", agreement: "FingerprintDifference | None", *, verified: bool) -> None:
    from arena.base import provenance

    facts = asdict(examined) | {"fingerprint": str(examined.fingerprint), "verified": verified}
    facts["versions"] = provenance.versions()
    if agreement:
        facts |= {"equal": agreement.equal, "difference": agreement.largest, "tolerance": agreement.tolerance}
    click.echo(json.dumps(facts, indent=1))


def _show(examined: "CanaryScores") -> None:
    from arena.base.format import one_line

    click.echo(
        f"{examined.model}: {examined.tags:,} tags, {examined.image_side} px, {examined.precision} on {examined.device}; "
        f"loaded in {examined.load_seconds:.1f} s, {len(examined.images)} images in {examined.score_seconds:.2f} s"
    )
    for image in examined.images:
        highest = ", ".join(f"{tag} {score:.3f}" for tag, score in zip(image.tags, image.scores, strict=True))
        click.echo(one_line(f"  {image.image_id}: {highest}"))  # a tag may contain terminal control codes
    if examined.spread < 0.01:
        click.echo(
            "the scores hardly differ between the images; check the input scaling and that the weights are loaded"
        )
    click.echo(f"fingerprint {examined.fingerprint}")


def _explain_recording(card: "ModelCard", examined: "CanaryScores") -> None:
    """Print the lines that a person should write into the card."""
    from arena.base.files import digest_known
    from arena.taggers.files.weights import fetch_files

    if card.verified or card.adapter in ("ensemble", "precomputed"):
        return
    click.echo(
        "The card says verified = false. If these tags fit the images and the authors' own code agrees, write into the card:"
    )
    click.echo("  verified = true")
    if not card.fingerprint:
        click.echo(f'  fingerprint = "{examined.fingerprint}"')
    files = fetch_files(card)
    if any(name not in card.files for name in files):
        click.echo(f"  files = {json.dumps(list(files))}")
    if lacking := {name: path for name, path in files.items() if name not in card.sha256}:
        click.echo("  [sha256]")
        for name, path in lacking.items():
            click.echo(f'  "{name}" = "{digest_known(path)}"')
