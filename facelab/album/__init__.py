"""An album: photos of one's own, grouped into people, which a person then names, merges and splits.

    album = Album.make("Photos/", "Album/", fl.Pipeline())
    album.rename("person 001", "Jisoo")
    album.merge(["person 002", "person 007"], "Mina")
    with fl.Gallery("gallery.hdf") as gallery:
        album.enroll(gallery)

The album *is* a folder, and there is nothing beside it that could say something else:

    Album/person 001/000123 holiday.jpg    a group, the biggest first, and a thumbnail for each face: the
                                           face's row in faces.h5, and the photo it is from
    Album/Jisoo/…                          a group that was given a name
    Album/others/…                         faces of whom there is no second
    Album/left out/…                       faces that belong to nobody who matters; never enrolled
    Album/faces.h5                         what `facelab embed` wrote: the vectors, exactly

So a file manager does as well as a widget or code: renaming a folder names a group, moving thumbnails
merges or splits, deleting one leaves a face out. `naming` says what the names mean, `folder` reads and
moves, `making` makes an album, `enrolling` enrols, and `album` holds the class.
"""

from facelab.album.album import Album
from facelab.album.groups import Group, Suggestion
from facelab.album.naming import LEFT_OUT, OTHERS

__all__ = ["LEFT_OUT", "OTHERS", "Album", "Group", "Suggestion"]
