"""What people look at: heat maps over photographs, and one page that shows and explains a whole run.

==============  ================================================================================
``palette``     heat -> colour, one fixed scale for everything
``heat_map``    photograph + anomaly map -> picture; small copies; saving as PNG
``findings``    scores and labels -> counts, ranking, who is shown, sentences in plain words
``charts``      histogram and ROC curve as SVG
``page``        all of it as one HTML file that needs nothing else (``page.html.j2``, ``page.css``, ``page.js``)
==============  ================================================================================
"""
