"""What stands for a space, in tokenizers that mark it in every way that is known."""

from typing import Any

import pytest
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import probe
from probe.alignment import align
from probe.spaces import SpacedWords, WordPieces, running, split_text, text_pieces, text_words
from tests.conftest import ModelFolder
from tests.tiny import MASKED_LMS, SENTENCES

MARK = "\N{LOWER ONE EIGHTH BLOCK}"
SPECIALS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
MARKS: dict[str, tuple[Any, Any]] = {
    "Replace, Split": (normalizers.Replace(" ", MARK), pre_tokenizers.Split(" ", "merged_with_previous")),
    "Replace alone": (normalizers.Replace(" ", MARK), None),
    "Prepend, Replace": (
        normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]),
        None,
    ),
    "Metaspace always": (None, pre_tokenizers.Metaspace(prepend_scheme="always")),
    "Metaspace first, not split": (None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
    "Metaspace never": (None, pre_tokenizers.Metaspace(prepend_scheme="never")),
}
WORDS = ("The", "river", "(", "near", "the", "sea", ")", "has", "n't", "slept", ".")
SPACES = (True, True, False, True, True, False, True, False, True, False, False)
TEXT = "The river (near the sea) hasn't slept."


@pytest.fixture(params=MARKS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    """A tokenizer of single letters, with and without the mark of a space, and some whole words."""
    letters = sorted({letter for sentence in SENTENCES for letter in sentence} | set("()' "))
    words = ["The", "river", "near", "the", "sea", "has", "slept"]
    pieces = [*letters, MARK, *(MARK + letter for letter in letters)]
    merges = [(MARK, letter) for letter in letters]
    for word in words:
        for first in (word[0], MARK + word[0]):
            for at in range(1, len(word)):
                pieces.append(first + word[1 : at + 1])
                merges.append((first + word[1:at], word[at]))
    vocab = {piece: at for at, piece in enumerate(dict.fromkeys([*SPECIALS, *pieces]))}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=list(dict.fromkeys(merges)), unk_token="<unk>"))
    normalizer, pre_tokenizer = MARKS[request.param]
    if normalizer is not None:
        backend.normalizer = normalizer
    if pre_tokenizer is not None:
        backend.pre_tokenizer = pre_tokenizer
    backend.post_processor = processors.TemplateProcessing(
        single="<s>:0 $A:0 </s>:0", special_tokens=[("<s>", vocab["<s>"]), ("</s>", vocab["</s>"])]
    )
    fast: Any = transformers.PreTrainedTokenizerFast
    return fast(
        tokenizer_object=backend,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
    )


def inside(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_words_alone_get_the_pieces_that_they_have_after_a_space(tokenizer: Any) -> None:
    words = "The river near the sea slept .".split()
    found = align(tokenizer, words, window=99)
    expected = inside(tokenizer, "x " + " ".join(words))[len(inside(tokenizer, "x")) :]
    assert found.ids[1:-1].tolist() == expected
    first = [found.ids[found.positions[found.unit_of == unit]][0] for unit in range(len(words))]
    assert all(token.startswith(MARK) for token in tokenizer.convert_ids_to_tokens(first))


def test_words_of_a_text_get_the_pieces_of_the_running_text(tokenizer: Any) -> None:
    found = align(tokenizer, SpacedWords(WORDS, SPACES), window=99)
    assert found.ids.tolist() == tokenizer(TEXT)["input_ids"]
    assert found.units == WORDS
    tokens = tokenizer.convert_ids_to_tokens(found.ids[found.positions].tolist())
    starts = [tokens[found.unit_of.tolist().index(unit)] for unit in range(len(WORDS))]
    after = (None, *SPACES[:-1])
    assert [token.startswith(MARK) for token in starts[1:]] == list(after[1:])


@pytest.mark.parametrize("name", MASKED_LMS)
def test_a_model_gets_the_pieces_of_the_running_text(name: str, model_folder: ModelFolder) -> None:
    loaded = probe.load(model_folder(name), device="cpu")
    words = ("The", "fox", ",", "it", "slept", ".")
    spaced = SpacedWords(words, (True, False, True, True, False, False))
    found = loaded.align(spaced)
    assert found.ids.tolist() == loaded.tokenizer("The fox, it slept.")["input_ids"]
    blind = loaded.align(words).ids.tolist() == found.ids.tolist()
    assert blind == (not loaded.pieces.sees_spaces)
    assert loaded.impact(spaced).units == words


def test_japanese_words_get_no_space_of_their_own(tokenizer: Any) -> None:
    pieces = WordPieces(tokenizer)
    words = running(("sea", "sea", "the"), (False, False, False))
    with_text, alone = pieces(words), pieces(["sea", "sea", "the"])
    tokens = [tokenizer.convert_ids_to_tokens(ids)[0].startswith(MARK) for ids in with_text[1:]]
    assert tokens == [False, False]
    assert all(tokenizer.convert_ids_to_tokens(ids)[0].startswith(MARK) for ids in alone)


def test_pieces_of_a_text_know_their_words(tokenizer: Any) -> None:
    (found,) = text_pieces(WordPieces(tokenizer), ["The river near  the sea; slept. "])
    assert found.words.max() + 1 == len("The river near the sea ; slept .".split())
    assert found.unknown == 1  # the semicolon
    starts = [tokenizer.convert_ids_to_tokens([found.ids[at]])[0] for at in found.positions[found.words == 1]]
    assert "".join(starts).replace(MARK, "") == "river"


def test_words_of_a_raw_text() -> None:
    text = "Don't go-(now), 漢字 cafe\N{COMBINING ACUTE ACCENT}!"
    words = [text[start:end] for start, end in text_words(text)]
    assert words == [
        *("Don", "'", "t", "go", "-", "(", "now", ")", ",", "漢", "字"),
        *("cafe\N{COMBINING ACUTE ACCENT}", "!"),
    ]
    spaced = split_text("No, it is.")
    assert spaced.words == ("No", ",", "it", "is", ".")
    assert spaced.spaces == (False, True, True, False, False)


def test_unknown_words_are_counted_and_a_sentence_of_nothing_else_is_refused(
    model_folder: ModelFolder,
) -> None:
    loaded = probe.load(model_folder("bert"), device="cpu")
    assert loaded.align(["the", "猫", "river"]).unknown == (False, True, False)
    assert loaded.align(["the", "猫", "坐"], [(0, 1), (1, 3)]).unknown == (False, True)
    with pytest.raises(probe.SentenceError, match=r"^unknown words 2 of 2: "):
        loaded.impact(["猫", "坐"])


@pytest.mark.parametrize("word", [None, 3, b"the", "\ud800"])
def test_what_is_no_text_is_refused_by_its_place(word: Any, model_folder: ModelFolder) -> None:
    loaded = probe.load(model_folder("bert"), device="cpu")
    found = list(loaded.impact_many([["the", word], ["the", "river"]], errors="return"))
    assert isinstance(found[0], probe.SentenceError)
    assert str(found[0]).startswith("word 2 ")
    assert isinstance(found[1], probe.ImpactMatrix)


def test_spaces_are_one_a_word() -> None:
    with pytest.raises(ValueError, match="2 words, 1"):
        SpacedWords(("a", "b"), (True,))
