"""Recall and precision of the search for copies, compared with other tools on the same files with planted copies.

Usage: python scripts/bench_copies.py [--images 10000] [--seed 0]

Files with known copies are made from the drawings of the demo set, one drawing per group (scripts/planted). The other tools
are equality of `imagehash.phash`, imagededup's PHash at its default threshold of 10 bits, and faiss at the same radius as
arena. Writes reports/benchmarks/copies.{json,md}. The JSON lists pairs of different drawings that were called copies, for
manual review. An interrupted run continues when it is started again.
"""

import hashlib
import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
from PIL import Image
from planted.copies import CLASSES, Planted, plant
from planted.peers import Ends, Peer, peers
from reporting import Options, write_report

from arena.cards import find_dataset
from arena.cli.terminal.console import Terminal
from arena.dataset.copies.dedup import find_copies
from arena.dataset.copies.policy import DuplicateRule
from arena.dataset.copies.signing import compute_signatures
from arena.dataset.frozen import read_frozen, write_frozen

COPY = ("identical", "near")
LISTED = 40


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="copies")
    parser.add_size("--images", 10_000, tiny=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.read(arguments)
    folder = options.build / f"set-{options.images}-{options.seed}"
    planted = plant_folder(folder, images=options.images, seed=options.seed)
    heldout = read_frozen(find_dataset(str(folder)))
    rows = planted.set_index("image_id").loc[list(heldout.image_ids)].reset_index()
    rule, work = DuplicateRule(), folder / "work"
    start = time.perf_counter()
    signed = compute_signatures(heldout, work, Terminal())
    pairs = find_copies(signed, heldout.card.folder, work, rule, Terminal())
    seconds = time.perf_counter() - start
    found = {
        (left, right): name for left, right, name in zip(pairs["left"], pairs["right"], pairs["class"], strict=True)
    }
    others = peers(heldout, signed.signatures, radius=rule.radius)
    report = {
        "images": len(rows), "seed": options.seed, "originals": int((rows["kind"] == "original").sum()),
        "seconds": seconds, "radius": rule.radius, "kinds": by_kind(rows, found, others),
        "classes": by_class(rows, found), "peers": by_peer(rows, found, others), "different": different(rows, found),
        "cores": os.cpu_count(), "processor": platform.machine(), "numpy": np.__version__, "pillow": PIL.__version__,
        "versions": {peer.name: peer.version for peer in others},
    }  # fmt: skip
    write_report(options.out, "copies", report, page(report).splitlines())


def plant_folder(folder: Path, *, images: int, seed: int) -> pd.DataFrame:
    """Write the files as a frozen dataset; return `image_id`, `family` and `kind` of each."""
    if (folder / "planted.parquet").exists():
        return pd.read_parquet(folder / "planted.parquet")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows, truth = [], []
    for one in plant(demo_drawings(), images=images, seed=seed):
        truth.append({"image_id": one.image_id, "family": one.family, "kind": one.kind})
        rows.append(written(folder, one))
    write_frozen(folder, card={"name": "planted"}, images=pd.DataFrame(rows), tags=[("drawing", "general")])
    pd.DataFrame(truth).to_parquet(folder / "planted.parquet", index=False)
    return pd.DataFrame(truth)


def demo_drawings() -> dict[str, Image.Image]:
    """Return the first drawing of each group of the demo set, by image_id."""
    heldout = read_frozen(find_dataset("demo"))
    chosen = heldout.images.drop_duplicates("group")
    return {
        row["image_id"]: Image.open(heldout.card.folder / row["path"]).convert("RGB")
        for row in chosen.to_dict("records")
    }


def written(folder: Path, one: Planted) -> dict[str, object]:
    """Write one file; return its row of `images.parquet`, with hashes of 0, because the search computes its own."""
    path = f"images/{hashlib.sha256(one.image_id.encode()).hexdigest()}.{one.suffix}"
    (folder / path).write_bytes(one.content)
    return {
        "image_id": one.image_id, "path": path, "sha256": hashlib.sha256(one.content).hexdigest(), "width": 0, "height": 0,
        "phash": 0, "dhash": 0, "tags": ["drawing"], "rating": "g", "group": "",
    }  # fmt: skip


def relation(left: Mapping[str, str], right: Mapping[str, str]) -> str:
    """Return the true relation of a pair from how its files were made: copy, alternate or different."""
    if left["family"] != right["family"]:
        return "different"
    copies = all(CLASSES.get(one["kind"], "identical") in COPY for one in (left, right))
    return "copy" if copies else "alternate"  # two badges around the same drawing are alternates too


def planted_pairs(rows: pd.DataFrame) -> dict[str, list[tuple[int, int]]]:
    """Return the rows of original and copy of each planted pair, by kind; for badges, the rows of the two badges."""
    planted = list(zip(rows["image_id"].astype(str), rows["family"].astype(str), rows["kind"].astype(str), strict=True))
    originals = {family: place for place, (_, family, kind) in enumerate(planted) if kind == "original"}
    place_of = {image_id: place for place, image_id in enumerate(rows["image_id"])}
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in CLASSES}
    for place, (image_id, family, kind) in enumerate(planted):
        if kind == "other symbol" and image_id.endswith(".a"):
            found[kind].append((place, place_of[image_id[:-1] + "b"]))
        elif kind not in ("original", "other symbol"):
            found[kind].append((originals[family], place))
    return {kind: [(min(pair), max(pair)) for pair in pairs] for kind, pairs in found.items()}


def by_kind(rows: pd.DataFrame, found: Mapping[Ends, str], others: list[Peer]) -> list[dict[str, object]]:
    """Return, for each kind, how many of its pairs are in each class, and how many each peer found."""
    report = []
    for kind, pairs in planted_pairs(rows).items():
        classes = Counter(found.get(pair, "not found") for pair in pairs)
        found_by = {peer.name: sum(pair in peer.pairs for pair in pairs) for peer in others}
        report.append(
            {"kind": kind, "expected": CLASSES[kind], "pairs": len(pairs), "classes": classes, "peers": found_by}
        )
    return report


def records_of(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Return one record per row; `image_id`, `family` and `kind` are text."""
    return [{str(key): value for key, value in record.items()} for record in rows.to_dict("records")]


def by_class(rows: pd.DataFrame, found: Mapping[Ends, str]) -> dict[str, dict[str, int]]:
    """Return, for each class, the number of its pairs by true relation."""
    records = records_of(rows)
    report: dict[str, Counter[str]] = {}
    for (left, right), name in found.items():
        report.setdefault(name, Counter())[relation(records[left], records[right])] += 1
    return {name: dict(report.get(name, {})) for name in ("identical", "near", "alternate", "rejected")}


def by_peer(rows: pd.DataFrame, found: Mapping[Ends, str], others: list[Peer]) -> dict[str, dict[str, float]]:
    """Return recall of the planted copies and precision of all pairs, of arena and of each peer."""
    ours = Peer("arena", "", {pair for pair, name in found.items() if name in COPY})
    planted = planted_pairs(rows)
    copies = [pair for kind, pairs in planted.items() if CLASSES[kind] in COPY for pair in pairs]
    records = records_of(rows)
    report = {}
    for peer in (ours, *others):
        right = sum(relation(records[left], records[last]) == "copy" for left, last in peer.pairs)
        report[peer.name] = {
            "recall": sum(pair in peer.pairs for pair in copies) / len(copies),
            "precision": right / len(peer.pairs) if peer.pairs else float("nan"), "pairs": len(peer.pairs),
        }  # fmt: skip
    return report


def different(rows: pd.DataFrame, found: Mapping[Ends, str]) -> list[list[str]]:
    """Return the first `LISTED` pairs of different drawings that were called copies."""
    records = records_of(rows)
    wrong = [
        [records[left]["image_id"], records[right]["image_id"], name]
        for (left, right), name in sorted(found.items())
        if name in COPY and relation(records[left], records[right]) == "different"
    ]
    return wrong[:LISTED]


def page(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    names = list(report["versions"])
    classes = ("identical", "near", "alternate", "rejected", "not found")
    lines = [
        f"# Planted copies in {report['images']:,} images of {report['originals']:,} drawings",
        "",
        "A planted pair is a drawing and a file made from it, or two badges around different symbols. The table shows, in",
        f"percent of the pairs, the class of `arena dataset dedup --radius {report['radius']}`, and what each other tool calls",
        "duplicates.",
        "",
        "| change | expected class | pairs | " + " | ".join((*classes, *names)) + " |",
        "|---" * (3 + len(classes) + len(names)) + "|",
    ]
    for row in report["kinds"]:
        pairs = row["pairs"]
        shares = [row["classes"].get(name, 0) for name in classes] + [row["peers"][name] for name in names]
        lines.append(
            f"| {row['kind']} | {row['expected']} | {pairs} | " + " | ".join(share(n, pairs) for n in shares) + " |"
        )
    lines += [
        "", "True relation of the pairs in each class, from how the files were made (two copies of a drawing are copies too):",
        "", "| class | copy | alternate | different drawings | correct, % |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, made in report["classes"].items():
        counts = [made.get(kind, 0) for kind in ("copy", "alternate", "different")]
        right = {"identical": counts[0], "near": counts[0], "alternate": counts[1], "rejected": counts[2]}[name]
        lines.append(f"| {name} | " + " | ".join(f"{n:,}" for n in counts) + f" | {share(right, sum(counts))} |")
    lines += [
        "", "Recall and precision of pairs called copies (identical or near):", "",
        "| | recall of planted copies | precision of all pairs | pairs |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, figures in report["peers"].items():
        lines.append(f"| {name} | {figures['recall']:.4f} | {figures['precision']:.4f} | {figures['pairs']:,} |")
    lines += [
        "", f"{report['seconds']:.0f} s on {report['cores']} cores for hashing and comparing; "
        + ", ".join(f"{name}: {version}" for name, version in report["versions"].items()) + ".",
        f"Made by `python scripts/bench_copies.py --images {report['images']} --seed {report['seed']}`.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def share(part: int, whole: int) -> str:
    """Return a share in percent as text; only an exact 0 or 100 is shown as such.

    >>> share(999, 1000), share(0, 9)
    ('99.9', '0')
    """
    if not whole or part in (0, whole):
        return "–" if not whole else "100" if part else "0"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f}"


if __name__ == "__main__":
    main()
