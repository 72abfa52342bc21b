"""Shards, sentences, the configuration and the tokenizer of the pretraining recipe."""

import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretraining.config import as_table, read_config
from pretraining.corpus import clean, read_documents, read_sentences, split_sentences
from pretraining.prepare import prepare_shard, prepare_tokenizer, shard_path
from pretraining.tokenizer import SPECIAL_TOKENS, load_tokenizer, train_tokenizer

CONFIG = """\
seed = 3
[data]
shards = ["a", "b"]
heldout = ["c"]
[optim]
steps = 2000
"""

SENTENCES = [
    "The old sailor mended his nets near the harbour.",
    "A younger sailor watched the nets drying.",
    "Nobody mended the harbour wall in winter.",
    "The café near the wall stayed open.",
] * 5


def write_shard(folder: Path, name: str, text: str) -> Path:
    """Write an xz shard and return its path."""
    path = folder / f"{name}.txt.xz"
    path.write_bytes(lzma.compress(text.encode()))
    return path


def write_config(folder: Path, text: str) -> Path:
    """Write a configuration and return its path."""
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


# Cleaning and sentences


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("the river (, ) bends", "the river bends"),
        ("the river ( ;– ) bends", "the river bends"),
        ("the river [ ] bends", "the river bends"),
        ("it fell (in 1900) .", "it fell (in 1900)."),
        ("one , two ; three .", "one, two; three."),
        ("tabs\tand\u00a0spaces  ", "tabs and spaces"),
        ("a version .5 stays", "a version .5 stays"),
        (" ( ) ", ""),
        ("", ""),
    ],
)
def test_clean(raw: str, expected: str) -> None:
    assert clean(raw) == expected


@given(st.text(alphabet="ab (),.;[]–\t"))
def test_clean_leaves_no_runs_of_space_and_loses_no_letter(raw: str) -> None:
    cleaned = clean(raw)
    assert "  " not in cleaned and "\t" not in cleaned and cleaned == cleaned.strip()
    assert [c for c in cleaned if c.isalpha()] == [c for c in raw if c.isalpha()]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Rain fell.", "Was it cold?", "Yes!", "It ended…", "Then what?"],
        ["Dr. Mills met Mrs. Hart on Jan. 5 in St. Ives.", "They left."],
        ["It follows Smith et al. Their view is old."],  # an abbreviation never ends a sentence
        ["J. R. Marsh wrote it.", "He was born in No. 12 High Street."],
        ["The U.S. Senate met.", "Nothing passed."],
        ["Some fruit, e.g. Apples, i.e. Pomes, sold well.", "Vol. 2 did not."],
        ['She said "Go home."', "He went."],
        ["She said “Go home.”", "“Why?”", "(He went.)", "12 stayed."],
        ["It cost 3.5 pounds. a small letter starts no sentence"],
        ["no end mark at all"],
    ],
)
def test_split_sentences(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize("paragraph", ["", "   "])
def test_no_sentence(paragraph: str) -> None:
    assert split_sentences(paragraph) == []


@given(st.text(alphabet="aB1 .!?…\"'()”"))
def test_split_loses_nothing(paragraph: str) -> None:
    sentences = split_sentences(paragraph)
    assert "".join("".join(sentences).split()) == "".join(paragraph.split())
    assert all(s and s == s.strip() for s in sentences)


# Shards


def test_documents_and_sentences(tmp_path: Path) -> None:
    path = write_shard(tmp_path, "a", "\n\nOne. Two.\nThree.\r\n\n\n( )\n\n  Four . \n")
    assert list(read_documents(path)) == [["One. Two.", "Three."], ["( )"], ["Four ."]]
    assert list(read_sentences(path)) == [["One.", "Two.", "Three."], ["Four."]]


def test_empty_shard(tmp_path: Path) -> None:
    assert list(read_sentences(write_shard(tmp_path, "a", ""))) == []


@pytest.mark.parametrize("damage", ["not xz", "truncated", "no bytes", "not UTF-8"])
def test_malformed_shard(tmp_path: Path, damage: str) -> None:
    whole = lzma.compress(b"A line of text.\n" * 2000)
    content = {
        "not xz": b"A line of text.\n",
        "truncated": whole[: len(whole) // 2],
        "no bytes": b"",
        "not UTF-8": lzma.compress(b"A line.\n\nA caf\xe9.\n"),
    }[damage]
    path = tmp_path / "a.txt.xz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.txt\.xz: expected xz-compressed UTF-8 text") as caught:
        list(read_sentences(path))
    assert "\n" not in str(caught.value)


def test_malformed_shard_stops_the_tokenizer_and_leaves_no_file(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path, CONFIG))
    write_shard(tmp_path, "a", "\n".join(SENTENCES))
    (tmp_path / "b.txt.xz").write_bytes(b"plain text")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ValueError, match=r"b\.txt\.xz: expected"):
        prepare_tokenizer(config, tmp_path, out)
    assert list(out.iterdir()) == []


def test_missing_shard(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no shard .*x\.txt\.xz: expected xz-compressed text"):
        shard_path(tmp_path, "x")


# Configuration


def test_read_config(tmp_path: Path) -> None:
    config = read_config(
        write_config(tmp_path, CONFIG + "decay = 1\nbetas = [0.9, 0.95]\n[model]\nhidden_size = 64\n")
    )
    assert config.seed == 3 and config.data.shards == ("a", "b") and config.optim.betas == (0.9, 0.95)
    assert config.model.hidden_size == 64 and config.optim.decay == 1
    assert as_table(config)["optim"]["steps"] == 2000


def test_the_shipped_configuration_is_valid() -> None:
    path = Path(__file__).parents[2] / "pretraining" / "configs" / "embedded.toml"
    config = read_config(path)
    assert config.data.long_length == config.model.max_position_embeddings


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 3", "sead = 3", "unknown key sead"),
        ("steps = 2000", "steps = 2000\nstep = 1", "unknown key optim.step"),
        ("[data]", "[modle]\nvocab_size = 9\n[data]", "unknown key modle"),
        ("seed = 3", "model = 3", "model must be a table of keys, not 3"),
        ("steps = 2000", "", "missing key optim.steps"),
        ('heldout = ["c"]', "", "missing key data.heldout"),
        ("seed = 3", "seed = 3.5", "seed must be an integer, not 3.5"),
        ("seed = 3", "seed = true", "seed must be an integer, not True"),
        ("steps = 2000", 'steps = 2000\ndecay = "all"', "optim.decay must be a number, not 'all'"),
        (
            "steps = 2000",
            "steps = 2000\nbetas = [0.9]",
            "optim.betas must be a list of two numbers, not [0.9]",
        ),
        ('heldout = ["c"]', 'heldout = "c"', "data.heldout must be a list of strings, not 'c'"),
        ('heldout = ["c"]', "heldout = []", "data.shards and data.heldout must each name at least one shard"),
        ('heldout = ["c"]', 'heldout = ["c", "b", "a"]', "data.heldout shares a, b with data.shards"),
        ("[optim]", "mask_low = 0.5\n[optim]", "data.mask_low and data.mask_high must"),
        ("[optim]", "mask_high = 1.5\n[optim]", "data.mask_low and data.mask_high must"),
        ("[optim]", "length = 1024\n[optim]", "data.length <= data.long_length"),
        ("[optim]", "long_length = 1024\n[optim]", "data.long_length <= model.max_position_embeddings"),
        ("[optim]", "batch_size = 0\n[optim]", "data.batch_size must be at least 1"),
        ("[optim]", "long_every = 0\n[optim]", "data.long_every must be at least 1"),
        ("seed = 3", "seed = -1", "seed must be at least 0"),
        ("seed = 3", "checkpoint_every = 0", "checkpoint_every must be at least 1"),
        ("steps = 2000", "steps = 0", "optim.steps must be at least 1"),
        ("steps = 2000", "steps = 10", "optim.warmup_steps in [0, optim.steps]"),
        ("steps = 2000", "steps = 2000\ndecay = 1.5", "optim.decay must lie in [0, 1]"),
        ("[data]", "[model]\nhidden_size = 30\n[data]", "model.hidden_size must be an even multiple"),
        (
            "[data]",
            "[model]\nnum_attention_heads = 0\n[data]",
            "model.num_attention_heads must be at least 1",
        ),
        ("[data]", "[model]\nvocab_size = 65537\n[data]", "model.vocab_size must be at most 65,536"),
        ("seed = 3", "seed =", "not a TOML file"),
    ],
)
def test_bad_config(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert CONFIG.count(old) == 1
    path = write_config(tmp_path, CONFIG.replace(old, new))
    with pytest.raises(ValueError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_config_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"# caf\xe9\n")
    with pytest.raises(ValueError, match=r"c\.toml: not a TOML file"):
        read_config(path)


# Tokenizer


def test_tokenizer(tmp_path: Path) -> None:
    trained = train_tokenizer(SENTENCES, vocab_size=120)
    trained.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    assert tokenizer.get_vocab() == trained.get_vocab()
    assert tokenizer.get_vocab_size() <= 120
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3, 4]
    encoding = tokenizer.encode("THE Sailor mended.")
    assert encoding.tokens[0] == "[CLS]" and encoding.tokens[-1] == "[SEP]"
    assert encoding.ids == tokenizer.encode("the sailor mended.").ids
    assert tokenizer.encode("café").ids == tokenizer.encode("cafe").ids
    assert tokenizer.encode("sailor ☃", add_special_tokens=False).tokens[-1] == "[UNK]"


def test_tokenizer_round_trip() -> None:
    tokenizer = train_tokenizer(SENTENCES, vocab_size=120)
    for sentence in set(SENTENCES):
        ids = tokenizer.encode(sentence, add_special_tokens=False).ids
        # The decoder puts the full stop back on its word.
        assert tokenizer.decode(ids) == sentence.lower().replace("é", "e")
    assert any(piece.startswith("##") for piece in tokenizer.encode("sailornets").tokens)


def test_prepared_tokenizer_is_reused_unless_the_model_is_too_small(tmp_path: Path) -> None:
    for name in "ab":
        write_shard(tmp_path, name, "\n".join(SENTENCES))
    config = read_config(write_config(tmp_path, CONFIG + "[model]\nvocab_size = 60\n"))
    first = prepare_tokenizer(config, tmp_path, tmp_path)
    write_shard(tmp_path, "a", "Other words entirely.")
    assert prepare_tokenizer(config, tmp_path, tmp_path).to_str() == first.to_str()
    smaller = read_config(write_config(tmp_path, CONFIG + "[model]\nvocab_size = 50\n"))
    with pytest.raises(ValueError, match=r"tokenizer\.json: 60 pieces, expected model\.vocab_size = 50 at"):
        prepare_tokenizer(smaller, tmp_path, tmp_path)


def test_prepared_shard_is_reused_until_its_source_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = train_tokenizer(SENTENCES, vocab_size=120)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    path = write_shard(tmp_path, "a", "\n".join(SENTENCES[:2]) + "\n\n" + SENTENCES[2])
    made = prepare_shard(path, tokenizer, tmp_path)
    assert "tokenizing a.txt.xz" in capsys.readouterr().err
    assert made.documents.tolist() == [0, 2, 3]
    reused = prepare_shard(path, tokenizer, tmp_path)
    assert capsys.readouterr().err == ""
    for name in ("ids", "sentences", "documents"):
        assert getattr(reused, name).tolist() == getattr(made, name).tolist()
        assert getattr(reused, name).dtype == getattr(made, name).dtype
    write_shard(tmp_path, "a", SENTENCES[3])
    assert prepare_shard(path, tokenizer, tmp_path).documents.tolist() == [0, 1]
