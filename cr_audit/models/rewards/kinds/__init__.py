"""The reward models, one file each, and their names: one line here adds one.

Nothing is imported before a model is used, so that ``--help`` can list them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.registry import Registry

if TYPE_CHECKING:
    from cr_audit.models.rewards.model import RewardModel

REWARD_MODELS: Registry[RewardModel] = Registry("reward model")
REWARD_MODELS.register("tabular", "cr_audit.models.rewards.kinds.tabular:TABULAR")
REWARD_MODELS.register("linear", "cr_audit.models.rewards.kinds.linear:LINEAR")
REWARD_MODELS.register("mlp", "cr_audit.models.rewards.kinds.mlp:MLP")
