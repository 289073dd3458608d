"""A causal language model of Hugging Face, trained from a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from isoloss.files import shown_value
from isoloss.lm.data import Corpus, corpus_of
from isoloss.lm.own_source import source_of
from isoloss.lm.shape import ModelError
from isoloss.lm.tasks.training_task import Size, TrainingTask

#: Raised when `hub_task` builds another module of the same configuration.
_VERSION = "hub 1"
#: Of a configuration, what says where it came from and how it is run, not what it is.
_ASIDE = ("transformers_version", "_name_or_path", "dtype", "torch_dtype")


def hub_task(
    config: Any,
    corpus: str | Path | Corpus = "synthetic",
    *,
    name: str | None = None,
) -> TrainingTask:
    """A task that trains a causal language model of Hugging Face (extra `hub`) from a
    configuration, on the next token of a corpus.

    Parameters
    ----------
    config
        A configuration of transformers, such as LlamaConfig(...), whose vocabulary holds that of
        the corpus; or a function of params that gives one, for several sizes.
    corpus
        "synthetic", a path of text, or a `Corpus`.
    name
        What rows call the family; the configuration's `model_type` unless given.

    Returns
    -------
    TrainingTask
        For `train(task=...)` and `train_task`.

    Raises
    ------
    ModelError
        transformers is missing, the configuration is none, or its vocabulary is too small.
    """
    found = corpus_of(corpus)
    if not callable(config):
        _checked(config, found.vocab)
        name = name or str(config.model_type)
    elif name is None or isinstance(config, type):
        raise ModelError(
            f"config is {'a class' if isinstance(config, type) else 'a function'}; accepted is a "
            "configuration, or a function of params with the name of the family, such as "
            "name='llama'"
        )
    version = _VERSION
    if callable(config):
        version += f" {source_of(name, {'config': config})}"
    build = FromConfig(config if callable(config) else deepcopy(config), found.vocab)
    return TrainingTask(name, build, found, version=version, settings=build.settings)


@dataclass(frozen=True, eq=False)
class FromConfig:
    """Builds a causal language model from a configuration, or from that of a size."""

    config: Any
    vocab: int

    def __call__(self, params: Size, seed: int) -> nn.Module:
        """The model, with weights as torch was seeded."""
        from transformers import AutoModelForCausalLM

        # A copy: a model writes into its configuration how it is run.
        made = deepcopy(self.of(params))
        model: nn.Module = AutoModelForCausalLM.from_config(made, dtype=torch.float32)
        return model

    def of(self, params: Size) -> Any:
        """The configuration of a size."""
        if not callable(self.config):
            if params is not None:
                raise ModelError(
                    f"params is {params:g}, and one configuration has one size; leave params out, "
                    "or give hub_task a function of params"
                )
            return self.config
        if params is None:
            raise ModelError("the configuration is a function of params; give a list of them")
        make: Callable[[float], Any] = self.config
        return _checked(make(params), self.vocab)

    def settings(self, params: Size) -> Mapping[str, Any]:
        """What the configuration of a size says of the model."""
        return {k: v for k, v in self.of(params).to_dict().items() if k not in _ASIDE}


def _checked(config: Any, vocab: int) -> Any:
    """The configuration, if it is one and holds the tokens of a corpus."""
    try:
        from transformers import PretrainedConfig
    except ImportError:
        raise ModelError(
            "models of Hugging Face need transformers; pip install 'isoloss[hub]'"
        ) from None
    if not isinstance(config, PretrainedConfig):
        raise ModelError(
            f"config is {shown_value(config)}; accepted is a configuration of transformers, such "
            "as LlamaConfig(...), or a function of params that gives one"
        )
    known = getattr(config, "vocab_size", None)
    if known is not None and known < vocab:
        raise ModelError(
            f"the configuration has {known} tokens and the corpus {vocab}; give it vocab_size="
            f"{vocab}"
        )
    return config
