"""An entry for our model in anomalib's own list, for those of its ways that load nothing from elsewhere."""

from __future__ import annotations

from anomalib import models

from patchcore_plugin.hosts import anomalib_model


def register() -> None:
    """Let ``get_model`` with a dict, and with it anomalib's benchmark and tiled ensemble, find ``PluginPatchcore``.

    Under its full path and under its bare name. The Engine, configuration files and the command line need no
    registering: they take any class by its path. Calling it again changes nothing.
    """
    models.ALLOWED_MODULES.add(anomalib_model.__name__)
    setattr(models, anomalib_model.PluginPatchcore.__name__, anomalib_model.PluginPatchcore)
