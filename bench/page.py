"""docs/benchmarks.md from measured results: what stands between its marks is made here, the rest by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.records import BenchError, Record, Result

PICTURES = {"cost": "benchmark-cost", "approximations": "benchmark-approximations"}
"""By part, the stem of its picture in ``images`` beside the page."""

_BLOCK = re.compile(r"(<!-- bench:(\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)
_ABOUT = {
    "processor": "processor",
    "cores": "cores",
    "instructions": "instructions",
    "python": "Python",
    "torch": "torch",
    "numpy": "NumPy",
    "transformers": "transformers",
    "commit": "commit",
}
Rows = Sequence[Sequence[str]]


def filled(text: str, records: Sequence[Record]) -> str:
    """The page with what stands between its marks made anew.

    Raises:
        BenchError: a mark names no part, or a record has other results than the commands of its part print.
    """

    def block(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        if name == "machine":
            lines = machines(records)
        elif name in BLOCKS:
            own = [record for record in records if record.part == name]
            lines = _part(name, own) if own else ["Not measured."]
        else:
            raise BenchError(f"bench:{name} on the page is no part of the benchmarks")
        return begin + "\n" + "\n".join(lines) + "\n\n" + end

    return _BLOCK.sub(block, text)


def _part(name: str, records: Sequence[Record]) -> list[str]:
    commands = [f"    {record.command}" for record in records]
    picture = []
    if name in PICTURES:
        picture = [f"![{_ALT[name]}](images/{PICTURES[name]}.svg)", ""]
    results = [result for record in records for result in record.results]
    try:
        return [*commands, "", *picture, *BLOCKS[name](results)]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise BenchError(f"{name}: results as its commands print them are expected ({error!r})") from None


def parts_on(text: str) -> set[str]:
    """The parts that have a place on the page."""
    return {found[2] for found in _BLOCK.finditer(text)} - {"machine"}


_ALT = {
    "cost": "Processor seconds of pairs, single masks and knockout: by words a sentence, and by sentences",
    "approximations": "Rank correlation with pairs against cost",
}


def machines(records: Iterable[Record]) -> list[str]:
    """A column for each machine and commit: what was measured there, and the processor seconds that it took."""
    parts: dict[tuple[str, ...], list[str]] = {}
    seconds: dict[tuple[str, ...], float] = {}
    for record in records:
        key = tuple(record.machine.get(name, "-") for name in _ABOUT)
        named = parts.setdefault(key, [])
        if record.part not in named:
            named.append(record.part)
        seconds[key] = seconds.get(key, 0) + record.processor_seconds
    rows = [[name, *cells] for name, *cells in zip(_ABOUT.values(), *parts, strict=True)]
    rows.append(["processor seconds of all", *(f"{value:,.0f}" for value in seconds.values())])
    return table(("measured", *(", ".join(named) for named in parts.values())), rows, left=1 + len(parts))


def table(head: Sequence[str], rows: Rows, *, left: int = 1) -> list[str]:
    """Lines of a Markdown table; all columns but the first ones are to the right."""
    marks = ["---" if place < left else "---:" for place in range(len(head))]
    return [_line(head), "|" + "|".join(marks) + "|", *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals and no zero before the point; a dash for None."""
    if value is None:
        return "-"
    text = f"{value:,.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def significant(value: float | str) -> str:
    """A number with three digits that say something; words stay."""
    if isinstance(value, str):
        return value
    text = f"{float(f'{value:.3g}'):g}"
    return text[1:] if text.startswith("0.") else text


def engine(results: Sequence[Result]) -> list[str]:
    """Tables of pairs, of knockout, and of types where several were compared."""
    pairs: list[Sequence[str]] = []
    knockout: list[Sequence[str]] = []
    types: list[Sequence[str]] = []
    for result in results:
        first, *others = _types(result)
        if others:
            types += _of_types(result, [first, *others])
            continue
        about = (result["model"], _length(result))
        pairs.append((*about, *_cells(result, first, _PAIRS)))
        if f"ours knockout last {first}" in result["processor seconds"]:
            knockout.append((*about, *_cells(result, first, _KNOCKOUT)))
    lines = [*table(("pairs", "words", *_PAIRS), pairs), ""] if pairs else []
    lines += [*table(("knockout", "words", *_KNOCKOUT), knockout), ""] if knockout else []
    if types:
        head = ("pairs, last layer", "words", "type", "bare", "ours", "naive / ours")
        lines += [*table(head, types, left=3), ""]
    found = [result["largest difference"] for result in results if "largest difference" in result]
    worst = f": {max(found):.0e}" if found else " was not looked for"
    return [
        *lines,
        f"Largest difference of an impact of pairs, ours, from that of the published loop{worst}.",
    ]


_PAIRS = {
    "naive": "naive pair last",
    "bare": "bare pair",
    "ours": "ours pair last",
    "ours / bare": "ours / bare, pair last",
    "naive / ours": "naive / ours, pair last",
    "all layers": "naive / ours, pair all",
}
_KNOCKOUT = {
    "bare": "bare knockout",
    "ours": "ours knockout last",
    "ours / bare": "ours / bare, knockout last",
    "pairs / knockout": "pair / knockout, last",
}
"""By column, the name of a time or a ratio in what ``bench.engine`` prints."""


def _cells(result: Result, dtype: str, columns: Mapping[str, str]) -> list[str]:
    values = {**_seconds(result), **result["ratios"]}
    return [number(values.get(f"{name} {dtype}")) for name in columns.values()]


def _seconds(result: Result) -> Mapping[str, float]:
    """Those that ratios are of."""
    found: Mapping[str, float] = result["seconds" if result["device"] == "cuda" else "processor seconds"]
    return found


def _types(result: Result) -> list[str]:
    return list(
        dict.fromkeys(name.split()[-1] for name in result["processor seconds"] if name.startswith("ours"))
    )


def _of_types(result: Result, types: Sequence[str]) -> Rows:
    seconds = _seconds(result)
    return [
        [
            result["model"],
            _length(result),
            name,
            number(seconds[f"bare pair {name}"]),
            number(seconds[f"ours pair last {name}"]),
            number(result["ratios"].get(f"naive / ours, pair last {name}")),
        ]
        for name in types
    ]


def _length(result: Result) -> str:
    """Words of a sentence, or of the mix."""
    length = str(result["length"])
    return f"{length}, mean {result['words'] / result['sentences']:.0f}" if length == "mix" else length


def cost(results: Sequence[Result]) -> list[str]:
    """Tables by length, by corpus, by threads."""
    by = {kind: measured_by(kind, results) for kind in ("words", "corpus", "threads")}
    names = ("pair", "single", "knockout")
    lines: list[str] = []
    if by["words"]:
        head = ("words", *(f"{name}, seconds a sentence" for name in names), "pair / knockout")
        rows = [
            [
                f"{one['words'] / one['sentences']:g}",
                *(number(_each(one, name), 3) for name in names),
                _gain(one),
            ]
            for one in by["words"]
        ]
        lines += table(head, rows)
    if by["corpus"]:
        head = ("sentences", "words", *(f"{name}, seconds" for name in names))
        rows = [
            [f"{one['sentences']:,}", f"{one['words']:,}", *(number(_whole(one, name), 1) for name in names)]
            for one in by["corpus"]
        ]
        lines += ["", *table(head, rows)]
    if by["threads"]:
        kinds = ("processor seconds", "seconds")
        head = ("threads", *(f"{name}, {kind}" for name in ("pair", "knockout") for kind in kinds))
        rows = [
            [
                str(one["threads"]),
                *(number(one["cost"][name][kind]) for name in ("pair", "knockout") for kind in kinds),
            ]
            for one in by["threads"]
        ]
        lines += ["", *table(head, rows)]
    return lines


def measured_by(kind: str, results: Sequence[Result]) -> list[Result]:
    """Results of ``bench.cost`` of one kind, in the order of what varies; of what was measured twice the first."""
    size: dict[str, Callable[[Result], float]] = {
        "words": lambda one: one["words"] / one["sentences"],
        "corpus": lambda one: one["sentences"],
        "threads": lambda one: one["threads"],
    }
    found: dict[float, Result] = {}
    for one in results:
        if one["by"] == kind:
            found.setdefault(size[kind](one), one)
    return [found[key] for key in sorted(found)]


def _whole(one: Result, name: str) -> float | None:
    found = one["cost"].get(name)
    return None if found is None else float(found["processor seconds"])


def _each(one: Result, name: str) -> float | None:
    seconds = _whole(one, name)
    return None if seconds is None else seconds / int(one["sentences"])


def _gain(one: Result) -> str:
    pair, knockout = _whole(one, "pair"), _whole(one, "knockout")
    return number(None if pair is None or not knockout else pair / knockout, 1)


def approximations(results: Sequence[Result]) -> list[str]:
    """A row for each way, two columns a model."""
    head = ["", "sequences"]
    for result in results:
        head += [f"seconds / pair's, {result['model']}", f"correlation, {result['model']}"]
    rows = []
    for name in ways(results[0]):
        row = [name, f"{results[0][name]['sequences']:,}"]
        for result in results:
            found = result[name]
            low, high = (number(value, 3) for value in found["interval"])
            exact = found["rank correlation"] == 1
            shown = "1" if exact else f"{number(found['rank correlation'], 3)} ({low} to {high})"
            row += [significant(found["of pair"]), shown]
        rows.append(row)
    return table(head, rows)


def ways(result: Result) -> list[str]:
    """The perturbations and approximations of a result of ``bench.approximations``."""
    return [name for name, found in result.items() if isinstance(found, dict) and "of pair" in found]


def memory(results: Sequence[Result]) -> list[str]:
    """A column a number of sentences."""
    lines: list[str] = []
    for result in results:
        peaks = result["peak MB"]
        lines += table(
            ("sentences", *(f"{int(count):,}" for count in peaks)),
            [["MB", *map(_whole_number, peaks.values())]],
        )
    return lines


def _whole_number(value: float) -> str:
    return f"{value:,.0f}"


def passes(results: Sequence[Result]) -> list[str]:
    """Geometry or knowledge: ours beside the bare forward passes."""
    head = ("inputs", "pieces", "ours, processor seconds", "bare passes", "ours / bare", "by the clock")
    rows = []
    for result in results:
        what = "facts" if "facts" in result else "sentences"
        seconds = result["processor seconds"]
        rows.append(
            [
                f"{result[what]:,} {what}",
                f"{result['pieces']:,}",
                number(seconds["ours"], 1),
                number(seconds["bare"], 1),
                number(result["ours / bare, processor seconds"]),
                number(result["ours / bare"]),
            ]
        )
    return table(head, rows)


def decoders(results: Sequence[Result]) -> list[str]:
    """A row for each way of a decoder, a column a length."""
    columns = [result["processor ms per sentence"] for result in results]
    rows = []
    for decoder, found in columns[0].items():
        for place, way in enumerate(found):
            cells = [significant(column[decoder][way]) for column in columns]
            rows.append([decoder if place == 0 else "", way, *cells])
    return table(("", "", *(f"{result['words']} words" for result in results)), rows, left=2)


BLOCKS: Mapping[str, Callable[[Sequence[Result]], list[str]]] = {
    "engine": engine,
    "cost": cost,
    "approximations": approximations,
    "memory": memory,
    "geometry": passes,
    "knowledge": passes,
    "decoders": decoders,
}
"""By part, its lines from what its commands printed."""
