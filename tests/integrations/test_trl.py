"""The weighted trainers against TRL itself: weight 2 is the row twice, weight 0 the row absent,
weight 1 no weight, in the loss and in every gradient of a real optimizer step on the CPU."""

from __future__ import annotations

import ast
import importlib.util
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

trl = pytest.importorskip("trl", reason="needs the extra trl: pip install 'cr-audit[trl]'")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

import numpy as np  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import (  # noqa: E402
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    TrainerCallback,
)
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer  # noqa: E402

import cr_audit as cr  # noqa: E402
from cr_audit.integrations import trl as ours  # noqa: E402
from cr_audit.integrations.trl import WeightedDPOTrainer, WeightedRewardTrainer  # noqa: E402

WORDS = [f"w{i}" for i in range(40)]
MAX_LENGTH = 12


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[EOS]", "[UNK]", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]"
    )


def model_of(kind: str) -> Any:
    """A Llama of two layers in float64: the same weights at every call."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=43,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
        num_labels=1,
    )
    made = (LlamaForSequenceClassification if kind == "reward" else LlamaForCausalLM)(config)
    for parameter in made.parameters():  # so far from the start that no two rows are alike
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made.double()


def some_rows(n: int) -> list[dict[str, Any]]:
    """Pairs of very different lengths, so that every batch is padded; no weights yet."""
    draw = random.Random(5)

    def text(low: int, high: int) -> str:
        return " " + " ".join(draw.choices(WORDS, k=draw.randint(low, high)))

    return [
        {"prompt": text(1, 4).strip(), "chosen": text(1, 7), "rejected": text(1, 7)}
        for _ in range(n)
    ]


class Gradients(TrainerCallback):  # type: ignore[misc]
    """The gradients of the first optimizer step."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if not self.found:
            self.found = {
                k: p.grad.detach().clone().numpy() for k, p in more["model"].named_parameters()
            }


def config_of(kind: str, folder: Path, batch: int, accumulate: int, **more: Any) -> Any:
    made = RewardConfig if kind == "reward" else DPOConfig
    return made(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulate,
        learning_rate=0.0,
        max_grad_norm=0.0,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
        **{"max_length": MAX_LENGTH, "max_steps": 1, **more},
    )


def trainer_of(
    kind: str,
    rows: list[dict[str, Any]],
    weighted: bool,
    tokenizer: Any,
    folder: Path,
    *,
    batch: int,
    accumulate: int = 1,
    model: Any = None,
    mean: str = "step",
    **more: Any,
) -> Any:
    classes = {
        ("reward", False): RewardTrainer,
        ("reward", True): WeightedRewardTrainer,
        ("dpo", False): DPOTrainer,
        ("dpo", True): WeightedDPOTrainer,
    }
    keywords = {"weight_mean": mean} if weighted else {}
    model = model_of(kind) if model is None else model
    if kind == "dpo":  # a reference of its own, or every log-ratio is 0
        reference = model_of(kind)
        torch.manual_seed(1)
        for parameter in reference.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        keywords["ref_model"] = reference
    return classes[kind, weighted](
        model=model,
        args=config_of(kind, folder, batch, accumulate, **more),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        **keywords,
    )


def one_step(trainer: Any) -> tuple[float, dict[str, Any]]:
    """Loss and gradients of one optimizer step, as the trainer itself makes it."""
    seen, losses = Gradients(), []
    trainer.add_callback(seen)
    training_step = trainer.training_step

    def recorded(*args: Any, **kwargs: Any) -> Any:
        losses.append(training_step(*args, **kwargs))
        return losses[-1]

    trainer.training_step = recorded
    trainer.train()
    assert seen.found
    return float(sum(losses)), seen.found


def same(a: tuple[float, Any], b: tuple[float, Any]) -> None:
    assert a[0] == pytest.approx(b[0], abs=1e-6)
    assert a[1].keys() == b[1].keys()
    for name in a[1]:
        np.testing.assert_allclose(a[1][name], b[1][name], atol=1e-6, rtol=0, err_msg=name)
    assert max(np.abs(g).max() for g in a[1].values()) > 1e-3


CASES = {
    "one batch": (6, 0),
    "accumulated": (2, 3),
    "last batch short": (4, 2),
    "one row at a time": (1, 6),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["reward", "dpo"])
def test_integer_weights_are_rows_that_stand_so_often(
    kind: str, case: str, tokenizer: Any, tmp_path: Path
) -> None:
    """Weights 2, 1, 0, 1, 3, 1, 1 against TRL's own trainer on the rows so many times."""
    weights = [2, 1, 0, 1, 3, 1, 1]
    rows = some_rows(len(weights))
    often = [r for r, w in zip(rows, weights, strict=True) for _ in range(w)]
    batch, accumulate = CASES[case]
    given = [r | {"cr_weight": float(w)} for r, w in zip(rows, weights, strict=True)]
    weighted = trainer_of(
        kind, given, True, tokenizer, tmp_path, batch=batch, accumulate=accumulate or 1
    )
    plain = trainer_of(kind, often, False, tokenizer, tmp_path, batch=len(often))
    assert len(weighted.train_dataset) == 6
    same(one_step(weighted), one_step(plain))


@pytest.mark.parametrize("kind", ["reward", "dpo"])
@pytest.mark.parametrize("mean", ["step", "data"])
def test_weight_1_is_no_weight(kind: str, mean: str, tokenizer: Any, tmp_path: Path) -> None:
    """Also accumulated as TRL does, in steps whose micro-batches are of one size."""
    rows = some_rows(6)
    given = [r | {"cr_weight": 1.0} for r in rows]
    for batch, accumulate in ((6, 1), (2, 3)):
        keywords: Any = {"batch": batch, "accumulate": accumulate}
        weighted = trainer_of(kind, given, True, tokenizer, tmp_path, mean=mean, **keywords)
        same(
            one_step(weighted),
            one_step(trainer_of(kind, rows, False, tokenizer, tmp_path, **keywords)),
        )


def test_a_short_micro_batch_counts_by_its_rows(tokenizer: Any, tmp_path: Path) -> None:
    """TRL takes the mean of the means of micro-batches; a weighted step is one mean."""
    rows = some_rows(5)
    given = [r | {"cr_weight": 1.0} for r in rows]
    ragged: Any = {"batch": 4, "accumulate": 2}
    weighted = one_step(trainer_of("reward", given, True, tokenizer, tmp_path, **ragged))
    same(weighted, one_step(trainer_of("reward", rows, False, tokenizer, tmp_path, batch=5)))
    trls = one_step(trainer_of("reward", rows, False, tokenizer, tmp_path, **ragged))
    assert abs(trls[0] - weighted[0]) > 1e-4


@pytest.mark.parametrize("truncation", ["keep_start", "keep_end"])
def test_truncated_rows(truncation: str, tokenizer: Any, tmp_path: Path) -> None:
    rows = some_rows(4)
    rows[1]["chosen"] = " " + " ".join(WORDS[:30])
    rows[2]["rejected"] = " " + " ".join(WORDS[10:38])
    given = [r | {"cr_weight": w} for r, w in zip(rows, [2.0, 1.0, 2.0, 1.0], strict=True)]
    often = [rows[0], rows[0], rows[1], rows[2], rows[2], rows[3]]
    weighted = trainer_of(
        "dpo", given, True, tokenizer, tmp_path, batch=2, accumulate=2, truncation_mode=truncation
    )
    plain = trainer_of(
        "dpo", often, False, tokenizer, tmp_path, batch=6, truncation_mode=truncation
    )
    same(one_step(weighted), one_step(plain))


def test_rows_that_trl_drops_are_dropped_with_their_weight(tokenizer: Any, tmp_path: Path) -> None:
    rows = some_rows(5)
    rows[1]["chosen"] = " " + " ".join(WORDS[:30])
    given = [r | {"cr_weight": w} for r, w in zip(rows, [2.0, 9.0, 1.0, 1.0, 1.0], strict=True)]
    often = [rows[0], rows[0], rows[2], rows[3], rows[4]]
    for mean in ("step", "data"):
        weighted = trainer_of(
            "reward", given, True, tokenizer, tmp_path, batch=2, accumulate=2, mean=mean
        )
        same(
            one_step(weighted),
            one_step(trainer_of("reward", often, False, tokenizer, tmp_path, batch=5)),
        )


@pytest.mark.parametrize(
    "more",
    [
        {"loss_type": ["hinge"]},
        {"loss_type": ["ipo"]},
        {"loss_type": ["exo_pair"], "label_smoothing": 0.1},
        {"loss_type": ["robust"], "label_smoothing": 0.1},
        {"loss_type": ["sigmoid_norm", "apo_zero"], "loss_weights": [0.7, 0.3]},
        {"loss_type": ["discopop"]},
        {"loss_type": ["nca_pair"], "ld_alpha": 0.5},
        {"loss_type": ["sigmoid"], "f_divergence_type": "js_divergence"},
        {"loss_type": ["sigmoid"], "use_weighting": True},
        {"loss_type": ["sigmoid"], "precompute_ref_log_probs": True},
    ],
    ids=lambda m: "+".join(f"{k}={v}" for k, v in m.items()),
)
def test_every_loss_of_dpo(more: dict[str, Any], tokenizer: Any, tmp_path: Path) -> None:
    rows = some_rows(4)
    given = [r | {"cr_weight": w} for r, w in zip(rows, [2.0, 1.0, 0.0, 1.0], strict=True)]
    often = [rows[0], rows[0], rows[1], rows[3]]
    weighted = trainer_of("dpo", given, True, tokenizer, tmp_path, batch=2, accumulate=2, **more)
    plain = trainer_of("dpo", often, False, tokenizer, tmp_path, batch=4, **more)
    same(one_step(weighted), one_step(plain))


def test_margins_and_centred_rewards(tokenizer: Any, tmp_path: Path) -> None:
    """A margin shifts the logit; the weight scales the loss that comes of it."""
    rows = [r | {"margin": 0.5 * k} for k, r in enumerate(some_rows(4))]
    given = [r | {"cr_weight": w} for r, w in zip(rows, [2.0, 1.0, 1.0, 1.0], strict=True)]
    more: Any = {"center_rewards_coefficient": 0.1}
    weighted = trainer_of("reward", given, True, tokenizer, tmp_path, batch=2, accumulate=2, **more)
    plain = trainer_of("reward", [rows[0], *rows], False, tokenizer, tmp_path, batch=5, **more)
    same(one_step(weighted), one_step(plain))


def test_the_mean_over_the_data_is_that_over_all_steps(tokenizer: Any, tmp_path: Path) -> None:
    """weight_mean="data": the mean of the gradients of equal steps is the weighted mean's."""
    weights = [3.0, 0.5, 1.0, 0.25]
    rows = some_rows(4)
    given = [r | {"cr_weight": w} for r, w in zip(rows, weights, strict=True)]
    whole = one_step(trainer_of("reward", given, True, tokenizer, tmp_path, batch=4))
    trainer = trainer_of(
        "reward", given, True, tokenizer, tmp_path, batch=1, mean="data", max_steps=4
    )
    losses: list[float] = []
    step = trainer.training_step
    trainer.training_step = lambda *a, **k: losses.append(out := step(*a, **k)) or out
    trainer.train()
    assert float(np.mean(losses)) == pytest.approx(whole[0], abs=1e-9)


@pytest.mark.parametrize("kind", ["reward", "dpo"])
def test_evaluation_is_weighted_where_the_data_are(
    kind: str, tokenizer: Any, tmp_path: Path
) -> None:
    weights = [2, 1, 1, 3, 1]
    rows = some_rows(5)
    given = [r | {"cr_weight": float(w)} for r, w in zip(rows, weights, strict=True)]
    often = [r for r, w in zip(rows, weights, strict=True) for _ in range(w)]
    more: Any = {"batch": 2, "per_device_eval_batch_size": 2, "prediction_loss_only": True}
    weighted = trainer_of(kind, given, True, tokenizer, tmp_path, **more)
    plain = trainer_of(kind, often, False, tokenizer, tmp_path, **more)
    wanted = plain.evaluate(Dataset.from_list(often))["eval_loss"]
    assert weighted.evaluate(Dataset.from_list(given))["eval_loss"] == pytest.approx(
        wanted, abs=1e-6
    )
    bare = plain.evaluate(Dataset.from_list(rows))["eval_loss"]
    assert weighted.evaluate(Dataset.from_list(rows))["eval_loss"] == pytest.approx(bare, abs=1e-9)
    assert abs(bare - wanted) > 1e-4


def test_metrics_are_those_of_trl(tokenizer: Any, tmp_path: Path) -> None:
    rows = some_rows(4)
    given = [r | {"cr_weight": 1.0} for r in rows]
    found = []
    for weighted in (True, False):
        trainer = trainer_of(
            "dpo", given if weighted else rows, weighted, tokenizer, tmp_path, batch=4,
            logging_steps=1,
        )  # fmt: skip
        trainer.train()
        found.append(trainer.state.log_history[0])
    a, b = found
    assert a.keys() == b.keys()
    for name in ("loss", "rewards/margins", "logps/chosen", "entropy", "num_tokens"):
        assert a[name] == pytest.approx(b[name], abs=1e-6), name


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("dpo", {"loss_type": ["aot"]}, "sorts the log-ratios"),
        ("dpo", {"loss_type": ["sigmoid", "sft"]}, "mean over the tokens"),
        ("reward", {"batch": 1}, "does not depend on its weight"),
        ("reward", {"mean": "rows"}, "choose one of step, data"),
    ],
)
def test_what_is_no_weighted_objective_is_refused(
    kind: str, more: dict[str, Any], says: str, tokenizer: Any, tmp_path: Path
) -> None:
    given = [r | {"cr_weight": 1.0} for r in some_rows(3)]
    with pytest.raises(ValueError, match=says):
        trainer_of(kind, given, True, tokenizer, tmp_path, **{"batch": 2, **more})


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), None])
def test_what_is_no_weight_is_refused(bad: Any, tokenizer: Any, tmp_path: Path) -> None:
    rows = [r | {"cr_weight": 1.0} for r in some_rows(3)]
    rows[1]["cr_weight"] = bad
    with pytest.raises(ValueError, match="of row 1 is"):
        trainer_of("reward", rows, True, tokenizer, tmp_path, batch=2)
    with pytest.raises(ValueError, match="no column 'cr_weight'"):
        trainer_of("reward", some_rows(3), True, tokenizer, tmp_path, batch=2)
    nothing = [r | {"cr_weight": 0.0} for r in some_rows(3)]
    with pytest.raises(ValueError, match="are 0"):
        trainer_of("reward", nothing, True, tokenizer, tmp_path, batch=2)


def test_the_file_stands_alone() -> None:
    """It can be copied to where cr-audit is not installed."""
    tree = ast.parse(Path(ours.__file__ or "").read_text(encoding="utf-8"))
    named = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    named |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert {n.split(".")[0] for n in named} - set(sys.stdlib_module_names) == {
        "torch",
        "datasets",
        "trl",
    }


def test_the_trainers_of_an_export_train_on_it(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file beside an export reads the column that the export has, by its own name."""
    monkeypatch.chdir(tmp_path)
    rows = some_rows(6)
    Path("in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    more: Any = {"to": "trl", "weight_column": "w", "model": "none", "weights": "uniform"}
    done = cr.export("in.jsonl", "out.jsonl", trainer_file="own.py", cache=False, **more)
    assert "own.py" in done.files
    spec = importlib.util.spec_from_file_location("own_trainers", tmp_path / "own.py")
    assert spec is not None
    assert spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    assert own.WEIGHT == "w"
    made = own.WeightedRewardTrainer(
        model=model_of("reward"),
        args=config_of("reward", tmp_path / "x", 6, 1),
        train_dataset=Dataset.from_json("out.jsonl", keep_in_memory=True),
        processing_class=tokenizer,
    )
    same(
        one_step(made),
        one_step(trainer_of("reward", rows, False, tokenizer, tmp_path / "y", batch=6)),
    )
    with pytest.raises(cr.UsageError, match="TRL alone"):
        cr.export("in.jsonl", "b.jsonl", to="openrlhf", trainer_file="own.py", model="none")


def test_trl_itself_drops_the_column(tokenizer: Any, tmp_path: Path) -> None:
    """What makes the classes above needed: once TRL keeps it, they are not."""
    given = [r | {"cr_weight": 1.0} for r in some_rows(2)]
    for kind in ("reward", "dpo"):
        trainer = trainer_of(kind, given, False, tokenizer, tmp_path, batch=2)
        assert "cr_weight" not in next(iter(trainer.get_train_dataloader()))


def prepared(kind: str, rows: list[dict[str, Any]], tokenizer: Any, folder: Path) -> list[Any]:
    """The tokens that TRL's own loader makes of rows, and what its collator is given of them."""
    trainer = trainer_of(kind, rows, False, tokenizer, folder, batch=2, max_length=None)
    names = set(trainer._signature_columns or ())
    if not names:
        trainer._set_signature_columns_if_needed()
        names = set(trainer._signature_columns)
    return [{k: v for k, v in row.items() if k in names} for row in trainer.train_dataset]


@pytest.mark.parametrize("kind", ["reward", "dpo"])
def test_the_x_ray_says_what_trl_reads(kind: str, tokenizer: Any, tmp_path: Path) -> None:
    """Every column of the route of TRL against TRL: dropped ones change nothing that is trained
    on, those read do."""
    from cr_audit.export.loaders import LOADERS

    (route,) = LOADERS["trl"].routes
    assert trl.__version__.rsplit(".", 1)[0] == LOADERS["trl"].version.rsplit(".", 1)[0]
    rows = some_rows(2)
    plain = prepared(kind, rows, tokenizer, tmp_path)
    for name in ("system", "input", "context", "messages", "weight", "score_chosen"):
        assert name not in route.reads
        assert prepared(kind, [r | {name: "w1 w2"} for r in rows], tokenizer, tmp_path) == plain
    assert route.reads["margin"] == "reward_only"
    with_margin = prepared(kind, [r | {"margin": 0.5} for r in rows], tokenizer, tmp_path)
    assert ("margin" in with_margin[0]) == (kind == "reward")
    for name in ("prompt", "chosen", "rejected"):
        assert route.reads[name] == "read"
        changed = [r | {name: " w7 w7 w7"} for r in rows]
        assert prepared(kind, changed, tokenizer, tmp_path) != plain


def test_the_x_ray_fails_where_trl_does(tokenizer: Any, tmp_path: Path) -> None:
    """A prompt in text beside answers in messages; an answer that is not there."""
    from cr_audit.export.loaders import LOADERS, Fails

    load = LOADERS["trl"].routes[0].load
    mixed = {"prompt": "w1", "chosen": [{"role": "assistant", "content": "w2"}],
             "rejected": [{"role": "assistant", "content": "w3"}]}  # fmt: skip
    for row, slug in (
        (mixed, "prompt_and_answers_differ_in_kind"),
        ({"prompt": "w1", "chosen": "w2"}, "column_missing"),
    ):
        with pytest.raises(Fails, match=slug):
            load(row)
        with pytest.raises((TypeError, KeyError, AttributeError)):
            trainer_of("reward", [row], False, tokenizer, tmp_path, batch=2)


def test_the_x_ray_finds_the_prompt_that_trl_finds() -> None:
    """Implicit prompts, as texts and as messages."""
    from trl import extract_prompt

    from cr_audit.export.loaders import LOADERS

    load = LOADERS["trl"].routes[0].load
    ask = {"role": "user", "content": "Why is it so?"}
    row = {
        "chosen": [ask, {"role": "assistant", "content": "one"}],
        "rejected": [ask, {"role": "assistant", "content": "two"}],
    }
    theirs = extract_prompt(row)
    mine = load(row)
    assert mine.prompt == theirs["prompt"][0]["content"]
    assert (mine.chosen, mine.rejected) == ("one", "two")
    texts = {"chosen": "Why is the sky so blue? It is.", "rejected": "Why is the sky so blue? No."}
    theirs, mine = extract_prompt(texts), load(texts)
    assert mine.prompt.strip() == theirs["prompt"].strip()
