"""Tables as csv."""

import csv
import io
from collections.abc import Mapping, Sequence


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """The text of a csv file; what a row lacks stays empty, numbers read back as they were."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
