"""What the page's part of a widget says, in the course's language."""

from collections.abc import Iterable
from typing import ClassVar

import traitlets

from facelab.course.language import translated


class Speaking(traitlets.HasTraits):
    """For an anywidget: mix it in before the widget's class, and name in WORDS what its JavaScript says.

    The page finds them in `texts` by their English, and puts its values into their {0}, {1}, …
    """

    WORDS: ClassVar[Iterable[str]] = ()
    texts = traitlets.Dict().tag(sync=True)

    @traitlets.default("texts")
    def _texts(self) -> dict[str, str]:
        return {text: translated(text) for text in self.WORDS}
