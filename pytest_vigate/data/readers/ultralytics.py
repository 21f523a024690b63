"""Ultralytics' ``predictions.json``: COCO results that name their pictures too."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pytest_vigate.data import naming, records
from pytest_vigate.data.readers import Reader, first_result
from pytest_vigate.data.readers.coco import Results, read_results, refuse_other_names
from pytest_vigate.data.tables import Role, Source, Table
from pytest_vigate.errors import DataError


class Ultralytics(Reader):
    """``[{"image_id", "file_name", "category_id", "bbox", "score"}]``, as validation with ``save_json`` writes it.

    ``image_id`` is the number that the file's stem is, else the stem (ultralytics 8.4.190, `pred_to_json`), and
    ``category_id`` counts from 1, or is COCO's where the data set is COCO.
    """

    name: ClassVar[str] = "ultralytics"

    def sniff(self, path: Path, role: Role, head: bytes) -> bool:
        return role == "predictions" and {"image_id", "file_name", "bbox"} <= first_result(head).keys()

    def read(self, source: Source) -> Table:
        naming.refuse_unknown_fields(source, self.name, ("id",))
        if source.role != "predictions":
            raise DataError(source.file, "format 'ultralytics' holds predictions; name the annotations they answer")
        results = read_results(source)
        refuse_other_names(source)
        keys = records.keys(source, ids=results.ids, images=_images(results))
        if "id" in keys and "id" not in source.fields:
            keys["id"] = keys.pop("id")  # made from the file's name, which says more
        return results.table(source, keys, base=1)


def _images(results: Results) -> list[str]:
    """File name of every picture.

    Raises:
        DataError: If a detection names none, or pictures of two names share an id, as ``1.jpg`` and ``01.jpg`` do.
    """
    first = [results.found[j] for j in results.first]
    for j, (result, i) in enumerate(zip(results.found, results.sample, strict=True)):
        if result.file_name is None:
            raise DataError(
                results.place(j), "the field 'file_name' is missing; declare format: coco where results have none"
            )
        if result.file_name != first[i].file_name:
            raise DataError(
                results.place(j),
                f"the image_id {result.image_id!r} is that of {result.file_name!r} here, but of "
                f"{first[i].file_name!r} at {results.place(int(results.first[i]))}; rename one of the pictures",
            )
    return [str(result.file_name) for result in first]
