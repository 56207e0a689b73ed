"""A training run: it can be stopped, goes on where it was, and ends at a time that is given.

The learning rate rises, then falls along a cosine of the time spent; what is kept is the average
of the weights on the way (Polyak & Juditsky, "Acceleration of stochastic approximation by
averaging", 1992). Several processes, one a core, share each step's gradient.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Trainer(Generic[Network]):
    """A network, its optimiser, its averaged weights, and how far it is.

    ``step`` counts steps, ``seconds`` the time spent, both also before a restart.

    Args:
        make: a new network, with its sizes in ``config``.
        name: of the file of weights in the folder ``out``.
        peak: the highest learning rate; warm: steps up to it; decay: of weights.
        average: how slowly the averaged weights follow, a step.
        clip: the longest gradient.
    """

    def __init__(
        self,
        make: Callable[[], Network],
        name: str,
        out: Path,
        *,
        device: str = "cpu",
        seed: int = 0,
        peak: float = 1e-3,
        warm: int = 300,
        decay: float = 1e-3,
        average: float = 0.998,
        clip: float = 5.0,
    ) -> None:
        torch.manual_seed(seed)
        self.name, self.out, self.device = name, out, device
        self.model: Network = make().to(device)
        self.average: Network = make().to(device)
        self.average.load_state_dict(self.model.state_dict())
        self.average.eval()
        parameters = self.model.parameters()
        self.optimiser = torch.optim.AdamW(parameters, peak, weight_decay=decay, fused=True)
        self._peak, self._warm, self._follow, self._clip = peak, warm, average, clip
        self.step, self.seconds = 0, 0.0

    def load(self, begin: Path | None = None) -> None:
        """Go on from the checkpoint; where there is none, begin with the weights of a file."""
        path = self.out / "checkpoint.safetensors"
        if not path.exists():
            if begin is not None:
                for model in (self.model, self.average):
                    model.load_state_dict(load_file(begin), strict=False)
            return
        with safe_open(path, "pt") as file:
            facts = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        self.model.load_state_dict(_part(tensors, "model."))
        self.average.load_state_dict(_part(tensors, "average."))
        state = self.optimiser.state_dict()
        names = ("step", "exp_avg", "exp_avg_sq")
        state["state"] = {
            n: {name: tensors[f"adam.{n}.{name}"] for name in names}
            for n in range(len(list(self.model.parameters())))
            if f"adam.{n}.step" in tensors  # a part that was not used yet has none
        }
        self.optimiser.load_state_dict(state)
        self.step, self.seconds = int(facts["step"]), float(facts["seconds"])

    def save(self) -> None:
        """Write the checkpoint, and beside it the averaged weights for use."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        tensors |= {f"average.{key}": value for key, value in self.average.state_dict().items()}
        for n, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{n}.{name}": value for name, value in state.items()}
        facts = {"step": str(self.step), "seconds": str(self.seconds)}
        _write(tensors, self.out / "checkpoint.safetensors", facts)
        config: Any = self.model.config
        facts = {"config": json.dumps(asdict(config)), "step": str(self.step)}
        _write(self.average.state_dict(), self.out / f"{self.name}.safetensors", facts)

    def learn(self, loss: Tensor, limit: float) -> float:
        """One step down a loss, on the way to ``limit`` seconds; returns the loss."""
        rate = self._peak * min(1.0, (self.step + 1) / self._warm)
        rate *= 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.seconds / limit)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        self._share()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
        self.optimiser.step()
        follow = min(self._follow, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 1 - follow)
            for kept, now in zip(self.average.buffers(), self.model.buffers(), strict=True):
                kept.copy_(now)  # the statistics of norms
        self.step += 1
        return float(loss.detach())

    def _share(self) -> None:
        """The mean gradient of all processes."""
        if not dist.is_initialized():
            return
        grads = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([grad.flatten() for grad in grads]) / dist.get_world_size()
        dist.all_reduce(flat)
        for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def steps(
        self,
        losses: Iterator[Tensor],
        score: Callable[[], dict[str, float]],
        limit: float,
        *,
        every: float = 300.0,
        first: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Learn until ``limit`` seconds have been spent in all.

        Args:
            losses: one loss a step, each made when it is asked for.
            score: measures the averaged weights on what is not learned from.
            every: seconds from one row of the log, and checkpoint, to the next.
            first: whether this is the first process, which alone writes.
        """
        before, began, told = self.seconds, time.monotonic(), self.seconds
        recent: list[float] = []
        for loss in losses:
            recent.append(self.learn(loss, limit))
            self._clock(before + time.monotonic() - began)
            done = self.seconds >= limit
            if (done or self.seconds - told >= every) and first:
                self.save()
                row = {"step": self.step, "minutes": round(self.seconds / 60, 1)}
                row |= {"loss": round(sum(recent) / len(recent), 3)}
                row |= {key: round(value, 4) for key, value in score().items()}
                self._log(row)
                yield row
                told, recent = self.seconds, []
            if done:
                return

    def _clock(self, seconds: float) -> None:
        """Set the time spent, by the first process's clock."""
        told = torch.tensor([seconds], dtype=torch.float64)
        if dist.is_initialized():
            dist.broadcast(told, 0)
        self.seconds = float(told)

    def _log(self, row: dict[str, Any]) -> None:
        with (self.out / "log.csv").open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)


def arguments(name: str, words: str | None, minutes: float) -> argparse.ArgumentParser:
    """The arguments that all recipes have."""
    parser = argparse.ArgumentParser(prog=f"avtool.training.{name}", description=words)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--device", default="cpu")
    return parser


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _write(tensors: dict[str, Tensor], path: Path, facts: dict[str, str]) -> None:
    part = path.with_suffix(".part")
    save_file({key: value.contiguous() for key, value in tensors.items()}, part, facts)
    part.replace(path)
