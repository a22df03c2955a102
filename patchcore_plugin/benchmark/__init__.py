"""A published protocol run as a whole: every category, several seeds, few images or all, configurations side by side.

=============  =================================================================================
``protocol``   what is run: categories x configurations x numbers of images x seeds
``runs``       one of them: learn, score, compare with the truth, take the time and the memory
``mistakes``   where an image's heat lies, and pictures of the worst mistakes
``record``     what one run leaves behind
``ledger``     records on disk, so that a benchmark that was stopped goes on where it was
``summary``    many records -> mean and spread over the seeds
``published``  the figures that others published by the same protocol (``published.toml``)
``tables``     the summary as the papers print it: Markdown, CSV, JSON
``why``        which parts are missed, and what their heat maps say about the reason
``page``       all of it as one HTML file (``page.html.j2``, ``curves``)
``command``    ``patchcore benchmark``
=============  =================================================================================
"""
