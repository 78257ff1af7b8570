"""The harnesses' own functions, taken out of folders with their code as it is; nothing of it is in this repository.

What they import beside the standard library is stood in for, so that nothing has to be installed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pandas as pd

TAGS = [["<think>", "</think>"], ["<analysis>", "</analysis>"]]
"""Around the thoughts that lmms-eval takes out of a reply."""

_AT_ONCE = 500
"""Rows of a table that `evaluate` is given: it searches the whole table for each."""


@dataclass(frozen=True)
class Harness:
    """One way to read the replies of a benchmark.

    Attributes:
        name: shown in the table.
        form: which benchmark.
        scoring: the name of the same rules in `hart_agent.evals.scoring`; None if they aren't there.
        credit: for replies, their options and the right letters, whether each is right; None where the harness would
            ask a language model.
    """

    name: str
    form: str
    scoring: str | None
    credit: Callable[[Sequence[str], Sequence[Sequence[str]], Sequence[str]], list[bool | None]]


def harnesses(vlmevalkit: Path, lmms_eval: Path, mme_realworld: Path, treevgr: Path) -> list[Harness]:
    """All of them, from the folders of their repositories."""
    stand_in("loguru", "requests", "vlmeval", "vlmeval.smp", "vlmeval.smp.log")
    matching = module(vlmevalkit / "vlmeval/utils/matching_util.py")
    table = vlmevalkit / "vlmeval/dataset/image_mcq.py"
    first_letter = functions(vlmevalkit / "vlmeval/dataset/utils/multiple_choice.py", "extract_characters_regex")[
        "extract_characters_regex"
    ]
    strip = module(lmms_eval / "lmms_eval/api/reasoning.py").strip_reasoning_tags
    tasks = lmms_eval / "lmms_eval/tasks"
    vstar = module(tasks / "vstar_bench/utils.py")
    mme = module(tasks / "mme_realworld/utils.py")
    hr_bench = module(tasks / "hrbench/hrbench_evals.py").HRBenchEval("", "")
    xlrs = module(tasks / "xlrs/mcq_utils.py").extract_characters_regex
    xlrs_kit = _method(table, "XLRSBench", "extract_characters_regex")
    official = functions(mme_realworld / "evaluation/eval_your_results.py", "extract_characters_regex")
    tree = _statements(treevgr / "inference_treebench.py", "eval_model_row", {"pattern", "match", "ans"})

    def stripped(reply: str) -> str:
        return str(strip(reply, TAGS))

    def can_infer(infer: Callable[[str, dict[str, str]], Any], clean: Callable[[str], str]) -> Any:
        return _each(lambda reply, options: _letter(infer(clean(reply), dict(zip("ABCDEFGH", options, strict=False)))))

    return [
        Harness("VLMEvalKit", "vstar", "vlmevalkit", can_infer(matching.can_infer, str)),
        Harness("lmms-eval", "vstar", "lmms-eval",
                _each(lambda reply, _: vstar.extract_answer_letter(stripped(reply)) or "")),
        Harness("VLMEvalKit", "hr-bench-4k", "vlmevalkit", can_infer(matching.can_infer, str)),
        Harness("lmms-eval", "hr-bench-4k", "lmms-eval",
                can_infer(hr_bench.can_infer, lambda reply: stripped(reply).strip())),
        Harness("VLMEvalKit", "mme-realworld-lite", "vlmevalkit", _evaluated(table, "MMERealWorld", first_letter)),
        Harness("lmms-eval", "mme-realworld-lite", "lmms-eval",
                _each(lambda reply, _: mme.extract_characters_regex(stripped(reply)))),
        Harness("official", "mme-realworld-lite", None,
                _each(lambda reply, options: official["extract_characters_regex"](
                    reply, [f"({letter}) {text}" for letter, text in zip("ABCDE", options, strict=False)]))),
        Harness("VLMEvalKit", "treebench", "vlmevalkit", _evaluated(table, "TreeBench", first_letter)),
        Harness("VLMEvalKit", "xlrs-bench", "vlmevalkit", _each(lambda reply, _: _single(xlrs_kit(reply)))),
        Harness("lmms-eval", "xlrs-bench", "lmms-eval", _each(lambda reply, _: _single(xlrs(stripped(reply))))),
        Harness("TreeVGR", "treebench", None, _each(lambda reply, _: tree({"output_text": [reply]})["ans"].upper())),
    ]  # fmt: skip


def anls_rules(vlmevalkit: Path, lmms_eval: Path) -> dict[str, Callable[[str, str], float]]:
    """By the names of scorings, what each harness gives a reply to a question on a document, for its right answer."""
    kit = functions(vlmevalkit / "vlmeval/dataset/utils/vqa_eval.py", "levenshtein_distance", "anls_compute",
                     "hit_calculate", np=np,
                     listinstr=lambda names, name: any(each in name for each in names))  # fmt: skip
    metrics = functions(lmms_eval / "lmms_eval/api/metrics.py", "levenshtein_distance", "anls")
    strip = module(lmms_eval / "lmms_eval/api/reasoning.py").strip_reasoning_tags

    def of_vlmevalkit(reply: str, gold: str) -> float:
        return float(kit["hit_calculate"]([{"match": [kit["anls_compute"](gold, reply)]}], "DocVQA_VAL")[0])

    def of_lmms_eval(reply: str, gold: str) -> float:
        return float(metrics["anls"]([gold], [strip(reply, TAGS)])["anls"])

    return {"vlmevalkit": of_vlmevalkit, "lmms-eval": of_lmms_eval}


def _single(letters: str) -> str:
    """Letters in any order, of which one alone can be the right one."""
    return letters if len(letters) == 1 else ""


def _letter(inferred: Any) -> str | None:
    return None if not inferred else str(inferred)


def _each(read: Callable[[str, Sequence[str]], str | None]) -> Any:
    """Credit for each reply by the letter that is read from it."""

    def credit(replies: Sequence[str], options: Sequence[Sequence[str]], golds: Sequence[str]) -> list[bool | None]:
        letters = [read(*pair) for pair in zip(replies, options, strict=True)]
        return [None if letter is None else letter == gold for letter, gold in zip(letters, golds, strict=True)]

    return credit


def _evaluated(path: Path, name: str, first_letter: Callable[[str], str]) -> Any:
    """Credit by running a class's own `evaluate` whole."""

    def credit(replies: Sequence[str], _: Sequence[Sequence[str]], golds: Sequence[str]) -> list[bool | None]:
        columns = {"index": range(len(replies)), "answer": golds, "prediction": replies, "target_instances": "[]"}
        table = pd.DataFrame(columns)
        parts = [table.iloc[at : at + _AT_ONCE].copy() for at in range(0, len(table), _AT_ONCE)]
        return [bool(score) for part in parts for score in _run_evaluate(path, name, first_letter, part)]

    return credit


def _run_evaluate(path: Path, name: str, first_letter: Callable[[str], str], table: pd.DataFrame) -> list[float]:
    kept: dict[str, Any] = {}
    source = next(node for node in ast.parse(path.read_text()).body if _is_class(node, name))
    body = [node for node in source.body if isinstance(node, ast.FunctionDef) and node.name.startswith("evaluate")]
    for node in body:
        node.decorator_list = []
        node.body = [line for line in node.body if not isinstance(line, ast.ImportFrom)]
    paths = MagicMock()
    paths.exists.return_value = False
    names: dict[str, Any] = {
        "osp": paths, "pd": pd, "re": sys.modules["re"], "ast": ast, "load": lambda _: table,
        "dump": lambda value, _: kept.setdefault("score", value), "get_file_extension": lambda _: "xlsx",
        "get_intermediate_file_path": lambda file, *_: file, "extract_characters_regex": first_letter,
        "get_dimension_rating": lambda _: {}, "print": lambda *_: None,
    }  # fmt: skip
    exec(compile(ast.Module(body, []), str(path), "exec"), names)
    holder = type(name, (), {"evaluate_box_iou": staticmethod(names["evaluate_box_iou"])})
    names["evaluate"](holder, "predictions.xlsx")
    return [float(score) for score in kept["score"]["score"]]


def _is_class(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == name


def module(path: Path) -> Any:
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    return module


def functions(path: Path, *names: str, **known: Any) -> dict[str, Any]:
    """Some functions of a file whose other lines would run a program; known: what they use beside `re`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    for node in body:
        node.decorator_list = []
    found: dict[str, Any] = {"re": __import__("re"), **known}
    exec(compile(ast.Module(body, []), str(path), "exec"), found)
    return found


def _method(path: Path, owner: str, name: str) -> Any:
    """A static method of a class."""
    body = next(node for node in ast.parse(path.read_text(encoding="utf-8")).body if _is_class(node, owner)).body
    method = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == name)
    method.decorator_list = []
    found: dict[str, Any] = {"re": __import__("re")}
    exec(compile(ast.Module([method], []), str(path), "exec"), found)
    return found[name]


def _statements(path: Path, function: str, targets: set[str]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The assignments to some names in a function, to be run with values for what they read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    node = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    lines = [
        line for line in node.body if isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") in targets
    ]
    code = compile(ast.Module(lines, []), str(path), "exec")

    def run(values: Mapping[str, Any]) -> dict[str, Any]:
        found = {"re": __import__("re"), **values}
        exec(code, found)
        return found

    return run


def stand_in(*names: str) -> None:
    for name in names:
        sys.modules.setdefault(name, MagicMock())
