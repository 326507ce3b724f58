"""The slides' layout: an HDF5 file with a group for each person.

    /0                              the person's id
    /0/Name                         'JiSoo-Kim'
    /0/Department                   'black pink'
    /0/Feature Map/feature_1        the vector; feature_2 … where there are more

It is written with the calls that the slides show ("Facial Enroll"), and easy to read with any HDF5 viewer. It
is not what a gallery lives in: a group costs kilobytes, and a million of them minutes. Metadata other than a
department, for which the slides have no place, goes to /0/Metadata as JSON.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelab.errors import GalleryError
from facelab.gallery.columns import line
from facelab.safe_write import hdf5_into, replacement, writing

LARGEST_CHUNK = 2**20
"""Numbers in a chunk of a dataset. A chunk may be larger than its dataset, and is unpacked whole."""


@dataclass(frozen=True, eq=False)
class Group:
    """A person in the slides' layout: the group's name, and what is in it. vectors (n, D) float64."""

    group: str
    name: str
    metadata: dict[str, Any]
    vectors: np.ndarray


def write(path: Path, people: Iterable[tuple[Any, np.ndarray]]) -> None:
    """(Person, vectors (n, D)) pairs to a new file.

    Raises GalleryError where there is one, or for a name that HDF5's text cannot hold (a NUL, half a
    surrogate pair).
    """
    if path.exists():
        raise GalleryError(f"{path}: is there already. Give another name.")
    if not path.parent.is_dir():
        raise GalleryError(f"{path}: there is no folder {path.parent}. Make it first.")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path), replacement(path, part) as file, hdf5_into(file) as hdf_file:
        for person, vectors in people:
            group = str(person.id)
            rest = dict(person.metadata)
            hdf_file.create_group(group)
            hdf_file[group].create_dataset("Name", data=_text(person, person.name))
            if isinstance(rest.get("department"), str):
                hdf_file[group].create_dataset("Department", data=_text(person, rest.pop("department")))
            if rest:
                hdf_file[group].create_dataset("Metadata", data=_text(person, json.dumps(rest)))
            hdf_file[group].create_group("Feature Map")
            for number, feature_map in enumerate(vectors, 1):
                hdf_file[group]["Feature Map"].create_dataset(f"feature_{number}", data=feature_map)


def _text(person: Any, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "\0"
    if "\0" in text:
        raise GalleryError(
            f"id {person.id}: {person.name!r} holds a character that HDF5's text cannot. rename() it, "
            "then export."
        )
    return text


def read(path: Path, dimension: int) -> tuple[list[str], list[bytes], np.ndarray, np.ndarray]:
    """Everybody in a file, the groups in the order of their numbers: the groups' names, each person as a line
    (`facelab.gallery.columns`), whose each vector is, counted from 0, and the vectors (N, D).

    dimension  how many numbers each feature must hold

    Raises GalleryError where something is missing, of another size, or outside of this very file.
    """
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as hdf_file:
            people = [_group(hdf_file, name, dimension) for name in sorted(hdf_file, key=_number)]
    except FileNotFoundError as error:
        raise GalleryError(f"{path}: there is no such file.") from error
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise GalleryError(
            f"{path}: is not in the slides' layout ({error}). Each group needs Name and Feature "
            f"Map/feature_1 with {dimension} numbers. Nobody was imported."
        ) from error
    owner = np.repeat(np.arange(len(people)), [len(person.vectors) for person in people])
    vectors = np.concatenate([np.empty((0, dimension)), *(person.vectors for person in people)])
    lines = [line(person.name, person.metadata) for person in people]
    return [person.group for person in people], lines, owner, vectors


def _number(name: str) -> tuple[int, str]:
    """'2' before '10', 'feature_2' before 'feature_10', and numbers before anything else."""
    digits = re.search(r"[0-9]{1,18}$", name)
    return (int(digits[0]) if digits else 10**18, name)


def _group(hdf_file, name: str, dimension: int) -> Group:
    group = _own(hdf_file, name)
    metadata = {}
    if "Metadata" in group:
        metadata = json.loads(_read_text(group, "Metadata"))
        if not isinstance(metadata, dict):
            raise ValueError(f"/{name}/Metadata is not a dictionary")
    if "Department" in group:
        metadata["department"] = _read_text(group, "Department")
    features = _own(group, "Feature Map")
    vectors = []
    for feature in sorted(features, key=_number):
        dataset = _plain(features, feature)
        if dataset.size != dimension or dataset.dtype.kind not in "fiu":
            raise ValueError(f"/{name}/Feature Map/{feature} is {dataset.dtype} {dataset.shape}")
        vectors.append(dataset[()].astype(np.float64).reshape(-1))  # the slides print it as (1, 1, D)
    if not vectors:
        raise ValueError(f"/{name}/Feature Map is empty")
    return Group(name, _read_text(group, "Name"), metadata, np.stack(vectors))


def _own(group, name: str):
    """A member that lies in this file: links lead elsewhere, or nowhere, or round in circles."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{group.name}/{name} is missing or a link")
    return group[name]


def _plain(group, name: str):
    dataset = _own(group, name)
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} lies in another file")
    if dataset.chunks and np.prod(dataset.chunks, dtype=float) > LARGEST_CHUNK:
        raise ValueError(f"{dataset.name} is in chunks of {dataset.chunks}")
    return dataset


def _read_text(group, name: str) -> str:
    dataset = _plain(group, name)
    if dataset.shape != () or dataset.dtype.kind not in "OS" or dataset.dtype.itemsize > 65_536:
        raise ValueError(f"{dataset.name} is not a text")
    return dataset.asstr()[()]
