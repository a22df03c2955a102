"""Pictures written into the page itself, so that nothing has to stand beside it."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_JPEG: dict[str, Any] = {"quality": 84, "subsampling": 0, "optimize": True}  # colours as sharp as their edges


def data_uri(picture: npt.NDArray[np.uint8], kind: Literal["JPEG", "PNG"]) -> str:
    """Encode a picture uint8 (H, W) or (H, W, 3) as an address that is its own content: photographs as JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **(_JPEG if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
