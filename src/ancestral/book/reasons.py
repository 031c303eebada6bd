"""Why a thing of the book is not made: in English and Spanish, once for all chapters."""

OTHERS = (
    "a picture of another author's work, which is not copied",
    "una imagen de la obra de otro autor, que no se copia",
)
OTHERS_DRAWING = (
    "another author's diagram, which is not copied",
    "un diagrama de otro autor, que no se copia",
)
DIAGRAM = (
    "a diagram of layers, not made from data: the code is the reference",
    "un diagrama de capas, sin datos: la referencia es el código",
)
CORPUS = (
    "needs the book's corpus, stories in copyright that are not part of this library",
    "necesita el corpus del libro, cuentos con derechos que no son parte de esta biblioteca",
)
T4 = (
    "a time on a T4 graphics card, which says nothing of another machine",
    "un tiempo en una tarjeta T4, que no dice nada de otra máquina",
)
PETS = (
    "needs the photos of Oxford-IIIT Pet, which are not part of this library: `segment` fits them",
    "necesita las fotos de Oxford-IIIT Pet, que no son parte de esta biblioteca: `segment` las usa",
)
