"""The four parts of PatchCore as contracts: what goes in, what comes out, and the laws in between.

The contracts are protocols: a class that has the methods is a part, nobody has to inherit. Laws that hold for all four:

* A part is a frozen value: settings in the constructor, data never. Randomness is a ``seed`` field.
* Inputs are never changed, and may be read-only, strided or of any floating dtype.
* A part takes any array that has ``__dlpack__`` and returns its own kind: NumPy parts return NumPy, torch parts return
  tensors on their device. On the CPU nothing is copied in between, and a chain of torch parts never leaves its device.
* Bad input (wrong number of axes, other width, NaN or infinity, nothing at all, k > M) raises a ``ValueError`` or a
  ``TypeError`` before any state changes. Parts of this package raise those of ``patchcore_plugin.errors``, which say
  what to do next; others may.
* What was answered stays as it is, whatever is asked later or done to the inputs.
* The same settings and the same input give the same answer, whatever was computed before and on however many threads.
  Nothing that the process shares is changed, such as the global random states; nor is it when a part is created.
* Number types of answers are named at their least: float64 where float32 stands is as good, and so is any whole number
  that holds every row where int64 stands. float16 is only where it is claimed, floats for rows never are.

Letters: B images, C channels, H W pixels, h w patch grid, D embedding width, N = B*h*w patch embeddings,
M memory-bank rows, Q queries, k neighbors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.arrays import Distances, Embeddings, FeatureMap, PatchGrid, Pixels, Rows

__all__ = ["Aggregator", "CoresetSampler", "FeatureExtractor", "NeighborIndex", "NeighborSearch"]


@runtime_checkable
class FeatureExtractor(Protocol):
    """Images in, mid-level feature maps of a pretrained network out."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose maps are returned, finest grid first."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each layer, in the order of ``layers``."""

    def extract(self, pixels: Pixels) -> tuple[FeatureMap, ...]:
        """Return one map per layer.

        Shapes: pixels float32 (B, 3, H, W), normalised -> float32 (B, C_l, H_l, W_l) for each layer l, finest first.
        Laws:   ``extract(pixels)[l][i]`` equals ``extract(pixels[i:i+1])[l][0]`` within 1e-4 relative: an image does
                not depend on its batch. Calling twice gives the same bits. Later calls leave earlier results alone.
                Grids grow with the image, each layer's by one stride; sizes that the network cannot take are refused.
                A network is put into evaluation mode by each call: in between, hosts may have called ``train()`` on it.
                Creation draws nothing from torch's global generator (``torch.random.fork_rng()`` keeps it).
        """


@runtime_checkable
class Aggregator(Protocol):
    """Feature maps in, one embedding per patch out."""

    def aggregate(self, maps: Sequence[FeatureMap]) -> PatchGrid:
        """Summarise each patch's neighbourhood and join the layers.

        Shapes: maps float (B, C_l, H_l, W_l), finest first -> float32 (B, h, w, D), (h, w) the finest layer's grid.
        Laws:   images of a batch do not mix; layers are joined in the order given. Later layers are resized to the
                finest grid between the middles of cells, bilinearly or by a smoother curve: constants stay constant,
                ramps stay ramps in their place. A window lies around its cell.
        """


@runtime_checkable
class CoresetSampler(Protocol):
    """Patch embeddings in, the rows worth remembering out."""

    def select(self, embeddings: Embeddings) -> Rows:
        """Choose which rows enter the memory bank.

        Shapes: embeddings float (N, D) -> int64 (M,), 1 <= M <= N.
        Laws:   distinct row numbers in order of selection, also where rows are equal; never copies of the rows, since
                the origin of each row (image, y, x) must survive. A fraction ``keep`` means max(1, round(keep * N)).
        May:    take ``progress``, called with (done, total) now and then: whole numbers, 0 <= done <= total, done
                never falls, total (often M) stays. And ``memory``, the bytes it may use beside the embeddings: such a
                sampler gets an ``EmbeddingStore`` where the rows are on disk; files of its own go to the store's
                ``folder``, with names that end in ``embedding_store.SCRATCH``. One with
                ``select_with_report`` answers a ``samplers.selection.Selection``, told at the end of a fit.
                Foretell a fit: ``how_many(N)`` or ``at_most(N, D)`` rows kept, ``least_memory(N, D)`` bytes that it
                cannot do without, ``disk_bytes(N, D, memory)`` bytes of such files. And ``warm_up(embeddings)``, to
                compile beforehand what another number of rows like these needs: without it, it selects from them.
        """


@runtime_checkable
class NeighborIndex(Protocol):
    """A memory bank made ready to be asked. It owns its data: the caller may change or drop the bank afterwards."""

    def query(self, queries: Embeddings, k: int = 1) -> tuple[Distances, Rows]:
        """Find the k bank rows nearest to each query.

        Shapes: queries float (Q, D), 1 <= k <= M -> distances float (Q, k), rows int64 (Q, k).
        Units:  Euclidean distance, never squared.
        Order:  nearest first. Equal distances: any of the rows; the reference answers the lower one.
        Laws:   rows of one query are distinct; each distance belongs to its row; queries do not depend on each other.
        """


@runtime_checkable
class NeighborSearch(Protocol):
    """A way to find the nearest rows of a memory bank."""

    def build(self, bank: Embeddings) -> NeighborIndex:
        """Prepare a bank, float (M, D), once; ask it often."""
