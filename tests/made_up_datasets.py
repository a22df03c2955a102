"""Small trees in the shape of the public data sets, every image unlike all others, no photograph in them."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

_number = count()


def picture(path: Path) -> Path:
    """Write an image that no other one equals, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_number)).integers(0, 256, (6, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def mask(path: Path, value: int = 255) -> Path:
    """Write a mask with one defective pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((6, 8), dtype=np.uint8)
    pixels[2, 3] = value
    Image.fromarray(pixels).save(path)
    return path


def pictures(folder: Path, how_many: int, name: str = "{:03d}.png", first: int = 0) -> list[Path]:
    return [picture(folder / name.format(number)) for number in range(first, first + how_many)]


def mvtec(root: Path, *categories: str) -> Path:
    for category in categories:
        folder = root / category
        pictures(folder / "train" / "good", 4)
        pictures(folder / "test" / "good", 2)
        for kind in ("scratch", "dent"):
            for image in pictures(folder / "test" / kind, 2):
                mask(folder / "ground_truth" / kind / f"{image.stem}_mask.png")
        (folder / "license.txt").write_text("as the original has\n")
        (folder / "readme.txt").write_text("as the original has\n")
    return root


def mvtec_loco(root: Path, *categories: str) -> Path:
    for category in categories:
        folder = root / category
        pictures(folder / "train" / "good", 4)
        pictures(folder / "validation" / "good", 2)
        pictures(folder / "test" / "good", 2)
        for kind in ("logical_anomalies", "structural_anomalies"):
            for image in pictures(folder / "test" / kind, 2):
                for number in range(1 + int(image.stem)):  # the second image has two defects
                    mask(folder / "ground_truth" / kind / image.stem / f"{number:03d}.png", value=200 + number)
        (folder / "defects_config.json").write_text('[{"defect_name": "missing", "pixel_value": 200}]')
    return root


def mvtec_ad2(root: Path, *categories: str) -> Path:
    for category in categories:
        folder = root / category
        pictures(folder / "train" / "good", 4, "{:03d}_regular.png")
        pictures(folder / "validation" / "good", 2, "{:03d}_regular.png")
        pictures(folder / "test_public" / "good", 2, "{:03d}_overexposed.png")
        for image in pictures(folder / "test_public" / "bad", 2, "{:03d}_shift_1.png"):
            mask(folder / "test_public" / "ground_truth" / "bad" / f"{image.stem}_mask.png")
        pictures(folder / "test_private", 3, "{:03d}_regular.png")
        pictures(folder / "test_private_mixed", 3, "{:03d}_mixed.png")
    return root


def visa(root: Path, *categories: str) -> Path:
    lines = ["object,split,label,image,mask"]
    for category in categories:
        normal = pictures(root / category / "Data" / "Images" / "Normal", 6, "{:04d}.JPG")
        anomaly = pictures(root / category / "Data" / "Images" / "Anomaly", 3, "{:03d}.JPG")
        for place, image in enumerate(normal):
            lines.append(f"{category},{'train' if place < 4 else 'test'},normal,{_below(root, image)},")
        for image in anomaly:
            defect = mask(root / category / "Data" / "Masks" / "Anomaly" / f"{image.stem}.png", value=1)
            lines.append(f"{category},test,anomaly,{_below(root, image)},{_below(root, defect)}")
        (root / category / "image_anno.csv").write_text("image,label,mask\n")
    (root / "split_csv").mkdir(parents=True, exist_ok=True)
    (root / "split_csv" / "1cls.csv").write_text("\n".join(lines) + "\n")
    (root / "split_csv" / "2cls_fewshot.csv").write_text("object,split,label,image,mask\n")
    (root / "LICENSE-DATASET").write_text("as the original has\n")
    return root


def btad(root: Path) -> Path:
    """Product by product the formats of the original: 01 bmp with masks in png, 02 png, 03 bmp with masks in bmp."""
    for category, suffix, mask_suffix in (("01", "bmp", "png"), ("02", "png", "png"), ("03", "bmp", "bmp")):
        folder = root / category
        pictures(folder / "train" / "ok", 4, f"{{:04d}}.{suffix}")
        pictures(folder / "test" / "ok", 2, f"{{:04d}}.{suffix}", first=4)
        for image in pictures(folder / "test" / "ko", 2, f"{{:04d}}.{suffix}"):
            mask(folder / "ground_truth" / "ko" / f"{image.stem}.{mask_suffix}")
    return root


def mtd(root: Path, good: int = 10, imgs: str = "Imgs") -> Path:
    for kind, how_many in {"Free": good, "Blowhole": 3, "Break": 2, "Crack": 2, "Fray": 1, "Uneven": 2}.items():
        for image in pictures(root / f"MT_{kind}" / imgs, how_many, "exp1_num_{:d}.jpg"):
            mask(image.with_suffix(".png"), value=0 if kind == "Free" else 255)
    (root / "README.md").write_text("as the original has\n")
    picture(root / "dataset.jpg")  # the public repository has such an overview beside the folders
    return root


def elpv(root: Path) -> Path:
    cells = [*[(0.0, "mono")] * 6, *[(1.0, "mono")] * 2, (1 / 3, "mono"), *[(0.0, "poly")] * 5, (1.0, "poly")]
    images = pictures(root / "images", len(cells), "cell{:04d}.png", first=1)
    lines = [f"images/{image.name}  {p}  {kind}" for image, (p, kind) in zip(images, cells, strict=True)]
    (root / "labels.csv").write_text("\n".join([*lines, ""]))
    return root


def real_iad(root: Path, *categories: str, images: str = "realiad_1024", lists: str = "realiad_jsons") -> Path:
    for category in categories:
        folder = root / images / category
        good = [picture(folder / f"OK/S{n:04d}/{category}_{n:04d}_OK_C1_2023.jpg") for n in range(6)]
        entries = [_real_iad_entry(category, "OK", folder, image, None) for image in good]
        tested = entries[4:]
        for n, kind in enumerate(("AK", "HS")):
            image = picture(folder / f"NG/{kind}/S{n:04d}/{category}_{n:04d}_NG_{kind}_C1_2023.jpg")
            defect = mask(image.with_name(f"{image.stem}_mask.png"))
            tested.append(_real_iad_entry(category, kind, folder, image, defect))
        from_behind = picture(folder / f"NG/AK/S0000/{category}_0000_NG_AK_C4_2023.jpg")
        tested.append(_real_iad_entry(category, "AK", folder, from_behind, None))
        content = {
            "meta": {"prefix": f"{category}/", "normal_class": "OK", "pre_transform": None},
            "train": entries[:4],
            "test": tested,
        }
        (root / lists).mkdir(parents=True, exist_ok=True)
        (root / lists / f"{category}.json").write_text(json.dumps(content))
    return root


def folder(root: Path, *, good: int = 10, masks: bool = False) -> Path:
    pictures(root / "good", good, "part{:d}.png")
    for kind in ("dent", "scratch"):
        for image in pictures(root / kind, 3, "part{:d}.png"):
            if masks:
                mask(root / "ground_truth" / kind / image.name)
    return root


def manifest(file: Path, *lines: str) -> Path:
    """Write a manifest of the lines given, its header first; every path in its first column becomes an image."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    place = lines[0].split(",").index("path")
    for line in lines[1:]:
        picture(file.parent / line.split(",")[place])
    return file


def _real_iad_entry(category: str, kind: str, folder: Path, image: Path, defect: Path | None) -> dict[str, str | None]:
    return {
        "category": category,
        "anomaly_class": kind,
        "image_path": _below(folder, image),
        "mask_path": _below(folder, defect) if defect else None,
    }


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
