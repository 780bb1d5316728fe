"""The detector's loss, silent about what a picture's source does not label.

A set without a box for a class says nothing of that class: where nothing is drawn, its score is
neither pushed up nor down, or held to what the parent says there. What is drawn is always taught.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.utils import DEFAULT_CFG
from ultralytics.utils.loss import v8DetectionLoss

Tensor = Any  # torch's own, which is not installed by default


class MaskedScores(nn.Module):  # type: ignore[misc]  # torch is not always there to be checked
    """Binary cross-entropy by element; the parent's word, or nothing, where labels say nothing.

    taught (B, A, C) or broadcastable: whether absence may be taught there; parent (B, A, C): its
    probabilities, or None. Both are set before each call.
    """

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights
        self.taught: Tensor = None
        self.parent: Tensor = None

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The loss of each score (B, A, C)."""
        entropy = nn.functional.binary_cross_entropy_with_logits
        is_told = (targets > 0) | self.taught
        each = entropy(scores, targets, reduction="none")
        if self.parent is None:
            return each * is_told.to(each.dtype)
        itself = nn.functional.binary_cross_entropy(self.parent, self.parent, reduction="none")
        held = entropy(scores, self.parent, reduction="none") - itself  # 0 where both agree
        return torch.where(is_told, each, self.weights * held)


class MaskedLoss:
    """Box and class loss of a batch.

    weights (C,): of the parent's word on each class, 0 for one that it does not know.
    """

    def __init__(self, network: Any, weights: Tensor) -> None:
        network.args = get_cfg(DEFAULT_CFG, {"epochs": 1})
        self._loss = v8DetectionLoss(network)
        self._scores = MaskedScores(weights)
        self._loss.bce = self._scores

    def __call__(
        self,
        predicted: dict[str, Tensor],
        batch: dict[str, Tensor],
        parent: dict[str, Tensor] | None = None,
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss per picture, and its parts.

        batch: batch_idx (N,), cls (N, 1), bboxes (N, 4) as centre and size in shares of the
        picture; labelled (B, C); passed_over, boxes (M, 5) of picture, class and bboxes' edges in
        pixels in whose area nothing is taught of that class: (M, 6) picture, class, x1 y1 x2 y2.
        parent: what the parent predicts of the same pictures.
        """
        self._scores.taught = self._taught(predicted, batch)
        self._scores.parent = None if parent is None else parent["scores"].mT.sigmoid()
        loss, parts = self._loss(predicted, batch)
        count = batch["labelled"].shape[0]
        named = {name: float(value) for name, value in parts.items()}
        return loss.sum() / count, named

    def _taught(self, predicted: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        labelled = batch["labelled"][:, None, :]
        if len(batch["passed_over"]) == 0:
            return labelled
        centres = _anchor_centres(predicted["feats"], self._loss.stride)
        taught = labelled.repeat(1, len(centres), 1)
        for picture, kind, x1, y1, x2, y2 in batch["passed_over"].tolist():
            inside = (centres[:, 0] >= x1) & (centres[:, 0] <= x2)
            inside &= (centres[:, 1] >= y1) & (centres[:, 1] <= y2)
            taught[int(picture), inside, int(kind)] = False
        return taught


def _anchor_centres(maps: list[Tensor], strides: Tensor) -> Tensor:
    """Centres (A, 2) of all anchors, x before y, in pixels of the input."""
    centres = []
    for level, stride in zip(maps, strides.tolist(), strict=True):
        height, width = level.shape[2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        centres.append((torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride)
    return torch.cat(centres)
