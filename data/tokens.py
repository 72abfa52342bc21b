"""CoNLL-U lines as the token lists of the ``conllu`` package, so that nothing is lost between the two.

What the package cannot keep by itself (its issues 37, 62 and 65, and what the tests show):

- Of a field that it would write otherwise, such as ``A=1|A=2`` or ``Gloss=x=y``, the text stays as it is.
- Two spaces in a column are no column's end here: lines are split at tabs alone.
- Comments without ``=`` are in ``metadata`` with the value None; comments that come twice are there once. All of
  them, in their order and spelling, are in ``Sentence.lines``, from which they are written.
"""

from collections.abc import Iterable, Sequence

from conllu.exceptions import ParseException
from conllu.models import Metadata, Token, TokenList
from conllu.parser import DEFAULT_FIELD_PARSERS, DEFAULT_FIELDS, parse_comment_line
from conllu.serializer import serialize_field

__all__ = ["COLUMNS", "split_lines", "to_token_list"]

COLUMNS = tuple(field.upper() for field in DEFAULT_FIELDS)
"""ID, FORM, LEMMA, UPOS, XPOS, FEATS, HEAD, DEPREL, DEPS, MISC."""


def to_token_list(lines: Iterable[str]) -> TokenList:
    """Make the token list of a block's lines, each of ten columns or a comment.

    Returns:
        Words have an int as ``id``; multiword tokens ``(1, '-', 2)``, empty nodes ``(1, '.', 1)``.
    """
    comments, rows = split_lines(lines)
    metadata = Metadata(pair for line in comments for pair in _pairs(line))
    return TokenList([_token(row) for row in rows], metadata, default_fields=DEFAULT_FIELDS)


def split_lines(lines: Iterable[str]) -> tuple[list[str], list[list[str]]]:
    """Tell the comments of a block from its rows, which are split into columns."""
    comments, rows = [], []
    for line in lines:
        if line.startswith("#"):
            comments.append(line)
        else:
            rows.append(line.split("\t"))
    return comments, rows


def _pairs(comment: str) -> list[tuple[str, str | None]]:
    # The package leaves out comments without a value unless a parser of one's own returns them.
    return parse_comment_line(comment, {"__fallback__": lambda key, value: (key, value)})


def _token(columns: Sequence[str]) -> Token:
    return Token({field: _field(columns, at) for at, field in enumerate(DEFAULT_FIELDS)})


def _field(columns: Sequence[str], at: int) -> object:
    """The package's value of a column, where it stands for exactly this text; else the text."""
    text = columns[at]
    parse = DEFAULT_FIELD_PARSERS.get(DEFAULT_FIELDS[at])
    if parse is None:
        return text
    try:
        value = parse([*columns], at)
    except (ParseException, ValueError):  # ValueError: int() of thousands of digits
        return text
    return value if serialize_field(value) == text else text
