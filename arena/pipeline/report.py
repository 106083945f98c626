"""`arena report`: write the reports of a finished run again."""

from dataclasses import asdict
from pathlib import Path

from arena.base.files import remove_temporary
from arena.base.locks import lock_output
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.stages import write_reports
from arena.results.run_folder import read_result


def rewrite_reports(folder: Path, showing: DisplayOptions = DisplayOptions()) -> None:
    """Write all reports of a run again, from its folder alone; a run whose reports were not finished is finished."""
    with lock_output(folder, "report"):
        result = read_result(folder, unfinished=True)
        remove_temporary(folder, recursive=True)
        result.run["shows"] = asdict(showing.again(result.run))
        write_reports(result, folder)
