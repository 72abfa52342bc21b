"""``probe figures``."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analyses.figures import command as figures
from analyses.sentiment.figure import SeedScore, write_scores
from analyses.tables.signature import Settings
from analyses.tables.table import Cell, Row, Table
from tests.command import GOLD, Done, conllu, ran
from tests.conftest import ModelFolder
from tests.figure_tables import FACTS, LAYERS, RECALL

Run = Callable[..., Done]


@pytest.fixture
def run(model_folder: ModelFolder, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command with a tiny BERT."""

    def command(*args: object) -> Done:
        model = model_folder("bert")
        capsys.readouterr()
        given = [
            "--model",
            str(model),
            "--device",
            "cpu",
            "--dtype",
            "float32",
            "--out",
            str(tmp_path / "out"),
        ]
        return ran(capsys, figures.main, *args, *given)

    return command


def test_pictures_of_a_sentence(run: Run, tmp_path: Path) -> None:
    given = ["--text", "Rivers carry <b> $and$ sand", "--layer", "1", "3", "--formats", "svg"]
    done = run("heatmap", "tree", "arcs", *given)
    assert (done.code, done.err) == (0, "")
    names = [
        "heatmap-layer-1",
        "heatmap-layer-3",
        "tree-layer-1",
        "tree-layer-3",
        "arcs-layer-1",
        "arcs-layer-3",
    ]
    paths = [tmp_path / "out" / f"{name}.svg" for name in names]
    assert done.out.split() == list(map(str, paths))
    first = {path: path.read_bytes() for path in paths}
    assert run("arcs", *given, "--quiet").out == ""
    assert {path: path.read_bytes() for path in paths} == first


def test_steps_from_impacts_to_a_tree(run: Run, tmp_path: Path) -> None:
    given = ["--text", "Rivers carry sand", "--layer", "1", "--method", "openness", "--formats", "svg"]
    done, path = run("steps", *given), tmp_path / "out" / "steps.svg"
    assert (done.code, done.err, done.out) == (0, "", f"{path}\n")
    first = path.read_bytes()
    assert run("steps", *given).code == 0 and path.read_bytes() == first


def test_the_best_layer_is_that_of_the_perturbation(model_folder: ModelFolder, tmp_path: Path) -> None:
    model = shutil.copytree(model_folder("bert"), tmp_path / "model")
    (model / "probe.json").write_text(
        '{"layer": 3, "pool": "mean", "layers": {"knockout": 1}}', encoding="utf-8"
    )
    given = ["steps", "--model", str(model), "--device", "cpu", "--out", str(tmp_path / "out")]
    for method, layers in (("openness", (1,)), ("paper", (3,))):
        args = figures.build_parser().parse_args([*given, "--method", method, "--layer", "best"])
        assert figures.Job(args).layers == layers


def test_figures_of_scores(run: Run, tmp_path: Path) -> None:
    gold = tmp_path / "data" / "ud" / "en_pud-ud-test.conllu"
    gold.parent.mkdir(parents=True)
    gold.write_text(GOLD, encoding="utf-8")
    done = run(
        *("uas-by-layer", "accuracy-by-distance", "recall-by-relation", "--data", tmp_path / "data"),
        *("--formats", "svg"),
    )
    assert (done.code, done.err) == (0, "")
    corpus = "en_pud-ud-test"
    names = [
        f"{name}-{corpus}.svg" for name in ("uas-by-layer", "accuracy-by-distance", "recall-by-relation")
    ]
    assert [Path(line).name for line in done.out.split()] == names
    too_long = conllu((" ".join(["owls"] * 40), [0, *range(1, 40)]))
    gold.write_text(GOLD + too_long, encoding="utf-8")
    done = run("heatmap", "uas-by-layer", "--data", gold, "--sentence", "3", "--formats", "svg")
    assert done.code == 1 and "sentence 4 skipped" in done.err


def test_figures_of_result_files(run: Run, tmp_path: Path) -> None:
    results = tmp_path / "results"
    LAYERS.write(results, "dependency-toy-fair")
    RECALL.write(results, "dependency-toy-fair-by-length")
    assert (
        run(
            "uas-by-layer", "accuracy-by-distance", "--results", results, "--layer", "1", "--formats", "svg"
        ).code
        == 0
    )
    assert len(list((tmp_path / "out").iterdir())) == 2
    # The best layer of the model is not among the results: where none was asked for, they are shown whole.
    assert run("accuracy-by-distance", "--results", results, "--formats", "svg").code == 0
    FACTS.write(results, "knowledge-t-rex-by-relation")
    LAYERS.write(results, "sentiment-laptop-fair")
    score = SeedScore(data="laptop", protocol="fair", row="lstm", seed=0, accuracy=70.0, macro_f1=60.0)
    write_scores(results / "sentiment-laptop-fair-seeds.csv", [score])
    Table(
        title="G",
        columns=("anisotropy",),
        rows=(
            Row(name="m layer 0", kind="model", cells=(Cell(0.5),), settings=Settings(model="m", layer=0)),
        ),
    ).write(results, "geometry-m")
    LAYERS.write(results, "mev-m")
    done = run("geometry", "lama", "sentiment", "--results", results, "--formats", "svg")
    names = ["sentiment-laptop-fair-seeds.svg", "geometry.svg", "lama-t-rex-by-relation.svg"]
    assert (done.code, [Path(line).name for line in done.out.split()]) == (0, names)
    (results / "sentiment-laptop-fair-seeds.csv").write_text("data,row\nlaptop,lstm\n", encoding="utf-8")
    done = run("sentiment", "--results", results)
    assert done.code == 2 and "seeds.csv:2: columns data, protocol" in done.err
    done = run("lama")
    assert done.code == 2 and "--results is not given; probe knowledge --out DIR" in done.err
    done = run("recall-by-relation", "--results", results)
    assert done.code == 2 and done.err.count("\n") == 1
    assert "no dependency-*-fair-by-relation.json there; probe dependency" in done.err


def test_figures_of_the_folder_of_reproduce(run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    LAYERS.write(whole / "layers", "dependency-toy-fair")
    LAYERS.write(whole / "dependency-pud", "dependency-other-fair")
    FACTS.write(whole / "knowledge", "knowledge-t-rex-by-relation")
    (whole / "reproduce.json").write_text("{}", encoding="utf-8")
    done = run("uas-by-layer", "lama", "--results", whole, "--formats", "svg")
    names = ["uas-by-layer-toy.svg", "lama-t-rex-by-relation.svg"]
    assert (done.code, [Path(line).name for line in done.out.split()]) == (0, names)


def test_all_leaves_out_what_has_no_results(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {name: draw for name, draw in figures.figures().items() if name in ("heatmap", "uas-by-layer")}
    monkeypatch.setattr(figures, "figures", lambda: kept)
    done = run("all", "--results", tmp_path, "--text", "Owls see", "--formats", "svg")
    assert done.code == 0 and len(done.out.split()) == 1
    assert done.err.startswith("figures: uas-by-layer left out: ") and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["picture"], "invalid choice: 'picture'"),
        (["heatmap", "--layer", "x"], "an index, all or best is expected, found 'x'"),
        (["heatmap", "--text", "a", "--layer", "all", "1"], "--layer: all and best stand alone"),
        (["heatmap", "--text", "a", "--layer", "9"], "layer"),
        (["heatmap", "--sentence", "nope"], "found no 'nope'"),
        (["heatmap", "--text", "a", "--sentence", "b"], "not allowed with"),
        (["uas-by-layer", "--data", "/nowhere/x.conllu"], "--data /nowhere/x.conllu: no such file"),
        (["heatmap", "--text", "a", "--data", "/nowhere/x.conllu"], "--data /nowhere/x.conllu: no such file"),
        (["all", "--results", "/nowhere"], "--results /nowhere: no such file"),
    ],
)
def test_wrong_use(run: Run, args: list[str], message: str) -> None:
    done = run(*args)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and done.err.count("\n") == 1


def test_wrong_folders(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    done = run("heatmap", "--text", "Owls see")
    assert done.code == 2 and done.err.count("\n") == 1
    (tmp_path / "out").unlink()
    done = run("uas-by-layer", "--data", tmp_path)
    assert done.code == 2 and "a folder with ud/en_pud-wu2020.conllu or" in done.err


def test_bias(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analyses.trees.decoders import CONSTITUENT_DECODERS
    from probe.registry import Registry

    one = Registry("constituent decoder", [CONSTITUENT_DECODERS["chart-row"]])
    monkeypatch.setattr("analyses.constituency.bias_tables.CONSTITUENT_DECODERS", one)
    assert run("bias", "--random-matrices", "4", "--formats", "svg", "--quiet").code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bias.svg"]


SHORT = ("--text", "the cat sat on the mat", "--layer", 1)


def test_a_method_draws_its_trees_and_signs_them(run: Run, tmp_path: Path) -> None:
    done = run("arcs", "tree", "--method", "openness", *SHORT, "--formats", "svg")
    assert done.code == 0
    arcs, tree = ((tmp_path / "out" / f"{name}.svg").read_text() for name in ("arcs", "tree"))
    assert "perturb:knockout" in arcs and "adjust:log+offset+symmetric+content+root+summary+early" in arcs
    assert "decoder:chart-row" in tree and "adjust:log+symmetric" in tree
    assert run("tree", "--method", "paper", *SHORT, "--formats", "svg").code == 0
    published = (tmp_path / "out" / "tree.svg").read_text()
    assert "decoder:mart-released" in published and "adjust" not in published


def test_an_adjustment_beside_a_method_is_that_of_both_trees(run: Run, tmp_path: Path) -> None:
    assert run("tree", "--method", "openness", "--adjust", "log", *SHORT, "--formats", "svg").code == 0
    drawn = (tmp_path / "out" / "tree.svg").read_text()
    assert "adjust:log" in drawn and "adjust:log+" not in drawn
