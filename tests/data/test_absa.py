"""SemEval-2014 task 4: three-line files, the original XML, published distances."""

import os
from collections import Counter
from pathlib import Path

import pytest

from data.absa import AspectItem, find_aspect, read_aspects, read_distances, tokenize
from data.errors import DataError, InputError

SEG = """\
The $T$ hums , but the lid is solid .
cooling fan
-1
The cooling fan hums , but the $T$ is solid .
lid
1
$T$ arrived on Monday .
It
0
"""
XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<sentences>
  <sentence id="1">
    <text>Lovely &amp; quick soup, but the waiter's tie wasn't.</text>
    <aspectTerms>
      <aspectTerm term="soup" polarity="positive" from="15" to="19"/>
      <aspectTerm term="waiter's tie" polarity="negative" from="29" to="41"/>
      <aspectTerm term="tie" polarity="conflict" from="38" to="41"/>
    </aspectTerms>
  </sentence>
  <sentence id="2"><text>We left.</text></sentence>
  <sentence id="3">
    <text>Tables: four.</text>
    <aspectTerms><aspectTerm term="Tables" polarity="neutral" from="0" to="6"/></aspectTerms>
  </sentence>
</sentences>
"""
COUNTS = {
    "Laptops_Train": (2328, Counter({1: 994, -1: 870, 0: 464})),
    "Laptops_Test_Gold": (638, Counter({1: 341, -1: 128, 0: 169})),
    "Restaurants_Train": (3608, Counter({1: 2164, -1: 807, 0: 637})),
    "Restaurants_Test_Gold": (1120, Counter({1: 728, -1: 196, 0: 196})),
}


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_seg(tmp_path: Path) -> None:
    path = written(tmp_path, "a.seg", SEG)
    fan, lid, it = read_aspects(path)
    assert fan.words == lid.words == tuple("The cooling fan hums , but the lid is solid .".split())
    assert (fan.aspect, lid.aspect, it.aspect) == ((1, 3), (7, 8), (0, 1))
    assert [item.polarity for item in (fan, lid, it)] == [-1, 1, 0]
    assert [item.term for item in (fan, lid, it)] == ["cooling fan", "lid", "It"]
    assert [item.where for item in (fan, lid, it)] == [f"{path}:{line}" for line in (1, 4, 7)]


def test_seg_splits_at_any_white_space(tmp_path: Path) -> None:
    text = "My $T$\u00a0key broke .\ndelete  big\n0\n\n"
    (item,) = read_aspects(written(tmp_path, "a.seg", text))
    assert item.words == ("My", "delete", "big", "key", "broke", ".")
    assert item.aspect == (1, 3)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "no items"),
        ("A $T$ .\nlid\n", 2, "3 lines an item are expected"),
        ("A lid .\nlid\n1\n", 1, "with $T$ once is expected, found 0"),
        ("A $T$ $T$ .\nlid\n1\n", 1, "with $T$ once is expected, found 2"),
        ("A $T$ .\n \n1\n", 2, "an aspect is expected"),
        ("A $T$ .\nlid\n2\n", 3, "polarity out of -1, 0, 1 is expected, found '2'"),
        ("A $T$ .\nlid\npositive\n", 3, "found 'positive'"),
        ("\n\n\n", None, "no items"),
        ("A $T$ .\nlid\n\u0661\n", 3, "found '\u0661'"),
        ("A $T$ .\nlid\n1\n\nA $T$ .\nlid\n1\n", 7, "the last item has fewer"),
    ],
)
def test_bad_seg(tmp_path: Path, text: str, line: int | None, message: str) -> None:
    path = written(tmp_path, "bad.seg", text)
    with pytest.raises(DataError) as error:
        list(read_aspects(path))
    assert str(error.value).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert message in str(error.value)


def test_xml(tmp_path: Path) -> None:
    soup, tie, tables = read_aspects(written(tmp_path, "a.xml", XML))
    assert soup.words == tuple("Lovely & quick soup , but the waiter 's tie was n't .".split())
    assert tie.words == soup.words
    assert (soup.term, soup.aspect, soup.polarity) == ("soup", (3, 4), 1)
    assert (tie.term, tie.aspect, tie.polarity) == ("waiter 's tie", (7, 10), -1)
    assert (tables.words, tables.aspect, tables.polarity) == (("Tables", ":", "four", "."), (0, 1), 0)
    assert soup.where.endswith("a.xml:6")


def test_an_aspect_within_a_word_is_a_word_of_its_own(tmp_path: Path) -> None:
    text = XML.replace(
        'term="soup" polarity="positive" from="15" to="19"', 'term="ou" polarity="neutral" from="16" to="18"'
    )
    item = next(read_aspects(written(tmp_path, "a.xml", text)))
    assert item.words[3:6] == ("s", "ou", "p")
    assert item.aspect == (4, 5)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('from="15"', 'from="14"', 6, "the aspect 'soup' is expected at characters 14 to 19"),
        ('from="15"', 'from="-1"', 6, "at characters -1 to 19"),
        ('from="15" ', "", 6, "an attribute 'from' of <aspectTerm> is expected"),
        ('polarity="negative"', 'polarity="bad"', 7, "positive, conflict is expected, found 'bad'"),
        ("</sentences>", "", 17, "XML is expected"),
        (XML, "", 1, "XML is expected, found no element"),
        (
            '"UTF-8"',
            '"none-such"',
            1,
            "XML of a known encoding is expected, found unknown encoding: none-such",
        ),
        ('"UTF-8"', '"shift_jis"', 1, "XML of a known encoding is expected, found multi-byte encodings"),
        ('from="15"', f'from="{"9" * 5_000}"', 6, f"at characters {'9' * 20} to 19 of the sentence"),
        ('from="15"', 'from="\u00b9\u2075"', 6, "at characters \u00b9\u2075 to 19"),
        ('term="soup"', 'term=""', 6, "the aspect '' is expected"),
        (
            'term="soup" polarity="positive" from="15" to="19"',
            'term=" " polarity="neutral" from="6" to="7"',
            6,
            "at least one word",
        ),
    ],
)
def test_bad_xml(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    path = written(tmp_path, "bad.xml", XML.replace(old, new))
    with pytest.raises(DataError) as error:
        list(read_aspects(path))
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert message in str(error.value)


def test_aspects_at_the_edges_and_of_the_whole_sentence(tmp_path: Path) -> None:
    seg = "\ufeff$T$ broke .\r\nThe lid\r\n-1\r\nNice $T$\nlid\n1\n$T$\nSolid lid\n1"
    first, last, whole = read_aspects(written(tmp_path, "a.seg", seg))
    assert (first.words, first.aspect) == (("The", "lid", "broke", "."), (0, 2))
    assert (last.words, last.aspect) == (("Nice", "lid"), (1, 2))
    assert (whole.words, whole.aspect) == (("Solid", "lid"), (0, 2))
    term = "<aspectTerm term='{}' polarity='neutral' from='{}' to='6'/>"
    text = f"<s><sentence><text>😀 café</text>{term}</sentence></s>"
    for term, start, aspect in (("café", 2, (1, 2)), ("😀 café", 0, (0, 2))):
        (item,) = read_aspects(written(tmp_path, "a.xml", text.format(term, start)))
        assert (item.words, item.aspect) == (("😀", "café"), aspect)


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE s [<!ENTITY soup SYSTEM "secret.txt">]>',
        '<!DOCTYPE s SYSTEM "secret.txt">',
        '<!DOCTYPE s [<!ENTITY a "so "><!ENTITY b "&a;&a;"><!ENTITY soup "&b;&b;">]>',
    ],
)
def test_xml_entities_are_neither_fetched_nor_dropped_nor_expanded(tmp_path: Path, declared: str) -> None:
    written(tmp_path, "secret.txt", "secret")
    text = XML.replace("<sentences>", f"{declared}<sentences>").replace("wasn't.", "wasn't &soup; .")
    path = written(tmp_path, "a.xml", text)
    with pytest.raises(DataError) as error:
        list(read_aspects(path))
    assert str(error.value).startswith(f"{path}:2: XML without a document type declaration is expected")
    assert "secret" not in str(error.value)
    path = written(tmp_path, "a.xml", XML.replace("wasn't.", "wasn't &soup; ."))
    with pytest.raises(DataError, match="XML is expected, found undefined entity"):
        list(read_aspects(path))


def test_xml_without_terms(tmp_path: Path) -> None:
    path = written(tmp_path, "none.xml", "<sentences><sentence><text>So .</text></sentence></sentences>")
    with pytest.raises(DataError, match="no aspect terms"):
        list(read_aspects(path))


def test_other_suffixes_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"suffix .seg or .xml is expected, found '.txt'"):
        read_aspects(written(tmp_path, "a.txt", SEG))
    with pytest.raises(InputError, match="there is none of this name"):
        read_aspects(tmp_path / "b.txt")
    with pytest.raises(InputError, match="there is none of this name"):
        read_aspects(tmp_path / "a.seg")


def test_distances(tmp_path: Path) -> None:
    items = list(read_aspects(written(tmp_path, "a.seg", SEG)))
    lines = []
    for text in SEG.splitlines()[::3]:
        lines.append(text.lower().replace(" .", "  ."))
        lines.append(" ".join(map(str, range(11 if "solid" in text else 5))) + " ")
    path = written(tmp_path, "a.dist", "\n".join(lines))
    found = read_distances(path, items)
    assert found == [tuple(map(float, range(n))) for n in (11, 11, 5)]
    with pytest.raises(DataError, match=r"a.dist: 2 items are expected, found 3"):
        read_distances(path, items[:2])


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (3, "0 1 2", "item 2 (a.seg:4): 11 distances are expected, one a word, found 3"),
        (5, "0 1 nan 3 4", "item 3 (a.seg:7): finite distances from 0 on are expected, found 'nan'"),
        (5, "0 1 -2 3 4", "item 3 (a.seg:7): finite distances from 0 on are expected, found '-2'"),
        (5, "0 1 two 3 4", "item 3 (a.seg:7): finite distances from 0 on are expected, found 'two'"),
        (5, "0 1_0 2 3 4", "found '1_0'"),
        (5, "0 1e999 2 3 4", "found '1e999'"),
        (2, "another sentence with $T$ .", "the sentence of item 2 (a.seg:4) is expected"),
    ],
)
def test_bad_distances(
    tmp_path: Path, line: int, text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "a.seg", SEG)
    items = list(read_aspects(Path("a.seg")))
    lines = []
    for sentence, n in zip(SEG.splitlines()[::3], (11, 11, 5), strict=True):
        lines += [sentence, " ".join(["1.0"] * n)]
    lines[line] = text
    written(tmp_path, "a.dist", "\n".join(lines))
    with pytest.raises(DataError) as error:
        read_distances(Path("a.dist"), items)
    assert str(error.value).startswith(f"a.dist:{line + 1}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The battery life is great.", "The battery life is great ."),
        ("can't won't I'll it's John’s", "ca n't wo n't I 'll it 's John ’s"),
        ("(hot-ready) $1,000.50 at 12:30...", "( hot-ready ) $ 1,000.50 at 12:30 ..."),
        ("naïve café “quote”", "naïve café “ quote ”"),
        ("2nd 16GB, 13.3-inch, a 17-inch i7 at 10am", "2nd 16GB , 13.3-inch , a 17-inch i7 at 10am"),
        ("cafe\u0301 re\u0301sume\u0301-like", "cafe\u0301 re\u0301sume\u0301-like"),
        ("  ", ""),
    ],
)
def test_tokenize(text: str, words: str) -> None:
    assert tokenize(text) == tuple(words.split())


def test_find_aspect() -> None:
    words = "The Screen of the screen cover".split()
    assert find_aspect(words, ["screen"]) == (1, 2)
    assert find_aspect(words, ["Screen", "cover"]) == (4, 6)
    for aspect in (["lid"], ["cover", "screen"], []):
        with pytest.raises(DataError, match="an aspect out of the words of the sentence is expected"):
            find_aspect(words, aspect)


def test_items_are_values() -> None:
    one = AspectItem(words=("a",), aspect=(0, 1), polarity=0)
    assert one == AspectItem(words=("a",), aspect=(0, 1), polarity=0)
    assert hash(one) == hash(AspectItem(words=("a",), aspect=(0, 1), polarity=0))


@pytest.mark.skipif("PROBE_DATA" not in os.environ, reason="PROBE_DATA is not set")
@pytest.mark.parametrize("name", COUNTS)
def test_published_files(name: str) -> None:
    folder = Path(os.environ["PROBE_DATA"]) / "absa"
    items = list(read_aspects(folder / f"{name}.xml.seg"))
    assert (len(items), Counter(item.polarity for item in items)) == COUNTS[name]
    for source in ("dist-spacy", "dist-wu2020-eisner"):
        distances = read_distances(folder / source / f"{name}.xml.seg.dist", items)
        assert [len(row) for row in distances] == [len(item.words) for item in items]
