"""The one reader of CSV: a line is a row, so that an unclosed quote ends with an error and joins nothing."""

import csv
from collections.abc import Iterator
from pathlib import Path

from data.errors import DataError
from data.messages import listed
from data.text import check_input, number_lines, read_lines

__all__ = ["csv_rows"]


def csv_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows below the line of column names, each with ``file:line``; empty lines are passed over.

    Raises:
        InputError: The file cannot be read.
        DataError: A quote is not closed in its line, a field is too long for the csv module, a column name is
            there twice, or a row has another number of fields than there are columns.
    """
    check_input(path)
    columns: list[str] | None = None
    for number, line in number_lines(read_lines(path), name=str(path)):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            (fields,) = csv.reader([line], strict=True)
        except csv.Error as error:
            raise DataError(f"{where}: a row of CSV is expected, found {error}") from None
        if columns is None:
            columns = fields
            if len(set(columns)) < len(columns):
                raise DataError(f"{where}: each column once is expected, found {listed(columns)}")
        elif len(fields) != len(columns):
            raise DataError(f"{where}: {len(columns)} fields are expected, found {len(fields)}")
        else:
            yield where, dict(zip(columns, fields, strict=True))
    if columns is None:
        raise DataError(f"{path}: a line of column names is expected, found none")
