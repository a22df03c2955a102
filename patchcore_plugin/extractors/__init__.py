"""Feature extractors: normalised images in, mid-level feature maps of a pretrained network out.

========================  ==================================================================================
``backbone_settings``     the settings of the extractors that need no torch: backbone, layers, weights
``numpy_cnn``             the reference's plain forward pass
``numba_cnn``             the same networks compiled for the CPU: ``numba_weights`` packs what was learned,
                          ``numba_program`` writes a table of steps, ``numba_runner`` runs it on all cores,
                          ``numba_steps`` holds the steps, ``numba_blocks`` their inner loops, ``numba_vectors``
                          the processor's vectors
``torchvision_backbone``  any network of torchvision, and
``timm_backbone``         any of timm; both are a ``torch_backbone``, which holds the settings and the way to
                          maps: ``torch_library`` is what the two libraries tell, ``torch_survey`` a dry run that finds
                          every layer, ``torch_grid`` how its output becomes a map, ``torch_weights`` and ``torch_hub``
                          where weights come from, ``torch_initial_values`` random ones, ``torch_taps`` runs the network
                          as far as the last layer
``ensemble``              several extractors as one, and
``multi_scale``           one at several sizes of the image; ``finest_first`` puts the maps of both in order
``layer_shapes``          what a layer gives for images of one size, for ``patchcore layers``
========================  ==================================================================================

A part is imported when it is asked for.
"""
