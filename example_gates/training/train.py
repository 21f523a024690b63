"""Train two small networks on scikit-learn's digits and write what they did: logs, and answers at some epochs.

The healthy run learns from 1 437 pictures; the other from 100 of them, far longer than they can teach it anything. The
hidden layer's size, the rate and the number of epochs are in ``hparams.yaml`` beside each log. Run it in this folder:

    python -m pip install scikit-learn==1.9.1
    python train.py
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
DIGITS = np.arange(10)

Pictures = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """What is declared about a run before it begins."""

    pictures: int
    hidden: int
    learning_rate: float
    batch_size: int
    epochs: int
    alpha: float = 0.0001
    seed: int = 0


HEALTHY = Setting(pictures=1437, hidden=32, learning_rate=0.003, batch_size=64, epochs=30)
OVERFITTING = Setting(pictures=100, hidden=256, learning_rate=0.003, batch_size=10, epochs=90)


def main() -> None:
    """Write both runs."""
    pictures, labels = load_digits(return_X_y=True)
    train_x, validation_x, train_y, validation_y = train_test_split(
        pictures / 16, labels, test_size=360, random_state=0, stratify=labels
    )
    write_digits(HERE / "validation.jsonl", "validation", validation_y, field="reference")
    for folder, setting in ((HERE, HEALTHY), (HERE.parent / "failing" / "training", OVERFITTING)):
        learned = train_x[: setting.pictures], train_y[: setting.pictures]
        train(folder, setting, learned, (validation_x, validation_y))


def train(
    folder: Path, setting: Setting, learned: tuple[Pictures, Labels], validation: tuple[Pictures, Labels]
) -> None:
    """Train, and write the log, the setting, and what the network says at every fifth of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    network = MLPClassifier(
        (setting.hidden,),
        learning_rate_init=setting.learning_rate,
        batch_size=setting.batch_size,
        alpha=setting.alpha,
        random_state=setting.seed,
    )
    write_digits(folder / "train.jsonl", "train", learned[1], field="reference")
    lines = []
    for epoch in range(1, setting.epochs + 1):
        network.partial_fit(*learned, classes=DIGITS)
        line: dict[str, float] = {"epoch": epoch}
        for name, (pictures, labels) in (("train", learned), ("val", validation)):
            line[f"{name}/loss"] = round(log_loss(labels, network.predict_proba(pictures), labels=DIGITS), 6)
            line[f"{name}/f1"] = round(f1_score(labels, network.predict(pictures), average="macro"), 6)
        lines.append(json.dumps(line))
        if epoch % (setting.epochs // 5) == 0:
            for name, pictures in (("train", learned[0]), ("validation", validation[0])):
                path = folder / "checkpoints" / f"epoch-{epoch:02d}" / f"{name}.jsonl"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_digits(path, name, network.predict(pictures), field="text")
    (folder / "training.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    declared = "".join(f"{name}: {value}\n" for name, value in asdict(setting).items())
    (folder / "hparams.yaml").write_text(declared, encoding="utf-8")


def write_digits(path: Path, part: str, labels: Labels, *, field: str) -> None:
    """One line a picture: which digit it shows, or is said to show."""
    records = ({"id": f"{part}-{i:04d}", field: str(label)} for i, label in enumerate(labels))
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


if __name__ == "__main__":
    main()
