"""A folder of pictures as presentations: `bona-fide/`, and `attacks/SPECIES/`. A sub-folder there is one presentation
of several frames, a picture alone one of a single frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SUFFIXES", "Presentation", "presentations"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
BONA_FIDE = "bona-fide"
ATTACKS = "attacks"


@dataclass(frozen=True, slots=True)
class Presentation:
    """Something that was held before a camera once."""

    name: str
    """Its path in the folder, with slashes."""
    species: str | None
    """What kind of attack; None for a living person."""
    files: tuple[Path, ...]
    """Its frames in their order; never empty."""


def presentations(folder: Path) -> tuple[Presentation, ...]:
    """All presentations of a folder, bona fide first, in the order of their names.

    Raises ValueError that says what the folder lacks.
    """
    bona_fide, attacks = folder / BONA_FIDE, folder / ATTACKS
    if not bona_fide.is_dir() and not attacks.is_dir():
        raise ValueError(f"{folder} has neither {BONA_FIDE}/ nor {ATTACKS}/")
    found = list(_of(folder, bona_fide, None)) if bona_fide.is_dir() else []
    if attacks.is_dir():
        for species in sorted(path for path in attacks.iterdir() if path.is_dir()):
            found += _of(folder, species, species.name)
        loose = sum(path.suffix.lower() in SUFFIXES for path in attacks.iterdir() if path.is_file())
        if loose:
            raise ValueError(
                f"{attacks} has {loose} pictures beside the species' folders: put each into {ATTACKS}/SPECIES/"
            )
    if not found:
        raise ValueError(f"{folder} has no pictures ({', '.join(sorted(SUFFIXES))})")
    return tuple(found)


def _of(root: Path, folder: Path, species: str | None) -> Iterator[Presentation]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            files = tuple(sorted(file for file in path.rglob("*") if _is_picture(file)))
        else:
            files = (path,) if _is_picture(path) else ()
        if files:
            yield Presentation(path.relative_to(root).as_posix(), species, files)


def _is_picture(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES
