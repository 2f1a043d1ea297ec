"""The page that plays, shown in a notebook."""

import html

from parksim.reports.html import page
from parksim.reports.play.page import playing
from parksim.reports.stories import story_of
from parksim.studies.study import Study


class Frame:
    """A page in a frame of its own: it may run scripts and save files, and knows nothing of the notebook."""

    def __init__(self, study: Study) -> None:
        self.page = page(story_of(study, ""), played=playing(study))
        """The page's HTML."""

    def _repr_html_(self) -> str:
        return (
            '<iframe sandbox="allow-scripts allow-downloads" style="width:100%;height:900px;border:1px solid #ccc" '
            f'title="A report that plays" srcdoc="{html.escape(self.page)}"></iframe>'
        )
