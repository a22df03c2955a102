"""Feature extractors: normalised images in, mid-level feature maps of a pretrained network out.

=====================  ==================================================================================
``backbone_settings``  the settings that all extractors here share: backbone, layers, weights
``numpy_cnn``          the reference's plain forward pass
``numba_cnn``          the same networks compiled for the CPU: ``numba_weights`` packs what was learned,
                       ``numba_program`` writes a table of steps, ``numba_runner`` runs it on all cores,
                       ``numba_steps`` holds the steps, ``numba_blocks`` their inner loops, ``numba_vectors``
                       the processor's vectors
=====================  ==================================================================================

A part is imported when it is asked for.
"""
