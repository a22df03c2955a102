"""Labelled images on disk: what to learn from, what to test on, and where the masks are. Nothing is ever downloaded.

====================  ==================================================================================
``layouts``           the names of all layouts, and the way from a name and a folder to a data set
``split``             one category's images, to fit, to calibrate and to test
``mvtec_ad`` ...      one layout a file: ``btad csv_manifest folder mtd mvtec_ad mvtec_ad2 mvtec_loco real_iad visa``
``random_split``      a seeded share of the good images, where nobody published a split
``overlap``           no image on two sides of a split; ``content_hash`` finds files with the same bytes
``folder_tree``       reading folders that others arranged, and saying what is missing from them
``mask_files``        which mask belongs to which image
``table_rows``        rows of a CSV file, each with the line where it stands
====================  ==================================================================================
"""

from __future__ import annotations

from patchcore_plugin.datasets.layouts import LAYOUT_NAMES, Dataset, open_dataset
from patchcore_plugin.datasets.split import GOOD, Split, TestImage

__all__ = ["GOOD", "LAYOUT_NAMES", "Dataset", "Split", "TestImage", "open_dataset"]
