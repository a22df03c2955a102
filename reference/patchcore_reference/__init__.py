"""PatchCore as arithmetic: plain functions on NumPy arrays that say what every fast part must compute.

Source: Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, arXiv:2106.08265.

In the order of the data:

==================  ==========================================================================================
``backbones``       images -> mid-level feature maps of a pretrained network (Section 3.1); the networks themselves
                    are plain data in ``efficientnet_lite`` and ``resnet``, written in the words of
                    ``network_plan``; their one operation stands in ``convolution``
``local_mean``      feature map -> mean over each patch's neighbourhood, f_agg of Eq. 2
``resize``          bilinear resizing with half-pixel centres, to bring layers to one grid (Section 3.1); nearest
                    cells, for maps as anomalib draws them
``embeddings``      layers -> one embedding per patch, the set P of Eq. 3
``adaptive_mean``   the official code's own way from layers to embeddings of 1,024 values, in place of both
``projection``      seeded random projections psi used while picking the coreset (Section 3.2)
``coreset``         embeddings -> rows of the memory bank, greedy k-center (Eq. 4, 5, Algorithm 1);
                    ``anchored_coreset`` is the approximation that the official code runs instead
``distances``       Euclidean distances between two sets of rows
``neighbors``       the k nearest rows of the bank (the inner minimum of Eq. 6)
``scoring``         patch distances -> image score (Eq. 6, 7)
``pooling``         patch scores -> image score of several patches, where one is too few; not in the paper
``anomaly_maps``    patch scores -> a map of the image's size (Section 3.3)
``numba_kernels``   compiled twins of distances, neighbors and coreset: same names, same signatures;
                    ``numba_anchored`` that of anchored_coreset
==================  ==========================================================================================

``checks`` and ``errors`` hold what is refused and in which words. NumPy and SciPy are all that is needed here; Numba
is imported by ``numba_kernels`` alone.
"""
