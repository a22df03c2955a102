"""Feature extractors: normalised images in, mid-level feature maps of a pretrained network out.

=====================  ===============================================================================
``backbone_settings``  the settings that all extractors here share: backbone, layers, weights
``numpy_cnn``          the reference's plain forward pass
``numba_cnn``          the same networks compiled for the CPU
=====================  ===============================================================================

Each file is one part, imported when it is asked for.
"""
