"""Page images with a known text: what OCR and enrichment should find is `TEXTS`, of our own writing."""

from __future__ import annotations

import hashlib
import io

from PIL import Image, ImageDraw

from demo.samples.glyphs import Pen

DPI = 300
WIDTH, HEIGHT, MARGIN, SIZE, LEADING = 1748, 2480, 180, 52, 78  # A5 at 300 dpi

TEXTS: tuple[tuple[str, str], ...] = (
    ("eng", "A HISTORY OF THE READING SOCIETY\n\nThe Reading Society of Harwich was founded on 14 March 1832 in the upper room of the Three Cups, where Thomas Fielding, a sailmaker, had brought together eleven neighbours who wished to own books in common. Each of them paid two shillings a quarter. The first purchase, a History of England in eight volumes, was carried from London by coach and arrived with one volume missing."),
    ("eng", "In the spring of 1836 the society had sixty members and could no longer meet above an inn. Mrs. Eleanor Whitcombe, a widow, offered the ground floor of her house in Church Street. She asked for no rent, but she wished that the lamps be put out at ten and that no pamphlet on the Corn Laws be left lying on the stairs. The minutes say that both conditions were kept until her death on 2 November 1851."),
    ("eng", "The catalogue of 1840 was written by the schoolmaster, James Pryor. It lists four hundred and twelve works. He divided them into Divinity, History, Voyages, Natural Philosophy and Tales, and he added in red ink what each had cost. Members complained that nobody could find a book by its author. Pryor replied that a man who knew the author had no need of a catalogue."),
    ("eng", "On the night of 9 January 1843 the sea came over the quay and stood three feet deep in Church Street. The books of the lower shelves were carried to Colchester on a hay wagon and dried in the malt house of William Darby. Two hundred volumes were saved. Those which were lost are named in a list at the end of the minute book, and beside eleven of them a later hand has written: found again."),
    ("ger", "REISE NACH WEIMAR\n\nAm 3. Mai 1847 verliess Johann Albrecht Kröger die Stadt Lübeck, um in Weimar die Bibliothek der Herzogin zu sehen. Er reiste mit der Post über Lüneburg und Braunschweig und führte ein Tagebuch, das bis heute erhalten ist. Die Wege waren schlecht, das Wetter aber schön, und in jedem Gasthof fragte man ihn nach den Preisen für Getreide."),
    ("ger", "In Weimar empfing ihn der Bibliothekar Karl Preusker, ein freundlicher Herr von sechzig Jahren. Er zeigte ihm den grossen Saal, die Globen und die Bücher, welche Goethe selbst entliehen und nicht immer zurückgebracht hatte. Kröger zählte die Bände eines Regals und schätzte die ganze Sammlung auf hundertzwanzigtausend. Abends schrieb er an seine Frau: Hier möchte ich bleiben."),
    ("ger", "Am 12. Mai 1847 fuhr er weiter nach Leipzig. Dort kaufte er bei dem Händler Friedrich Voigt eine Bibel aus dem Jahre 1545, der die letzten Blätter fehlten. Der Preis betrug neun Taler. Auf der Rückreise wurde der Koffer in Magdeburg verwechselt, und erst im August kam das Buch über Hamburg nach Lübeck, wo es noch heute in der Stadtbibliothek liegt."),
    ("ger", "Das Tagebuch endet mit einer Liste der Ausgaben. Für Pferde und Wagen zahlte Kröger einundvierzig Taler, für Wein zwölf, für Bücher dreissig. Darunter steht, mit blasser Tinte und wohl viele Jahre später geschrieben, ein einziger Satz: Von allem, was ich damals gekauft habe, ist mir nur das geblieben, was man lesen kann. Lübeck, den 30. Oktober 1871."),
    ("fre", "LE CABINET DE LECTURE\n\nLe 6 juin 1829, Madame Hortense Delacroix ouvrit à Rouen, près de la cathédrale, un cabinet de lecture où l'on pouvait lire les journaux de Paris pour deux sous. La pièce était étroite, mal éclairée, et sentait le café. Au bout d'une année elle avait déjà cent vingt abonnés, parmi lesquels un juge, trois curés et un élève du collège nommé Gustave."),
    ("fre", "Après la révolution de juillet 1830, la police vint deux fois chercher des brochures interdites. Elle ne trouva rien, car Madame Delacroix les avait cachées derrière les sermons de Bossuet, que personne ne demandait jamais. Elle raconta plus tard cette histoire à son neveu Étienne, qui la nota dans un petit cahier vert, conservé aujourd'hui aux archives de Rouen."),
    ("fre", "Le catalogue imprimé en 1838 compte huit cents titres. On y trouve Voltaire et Rousseau, beaucoup de romans anglais traduits à la hâte, et un traité sur la culture des pommiers. Les livres étaient reliés en toile grise. Celui qui rendait un volume taché payait une amende de dix centimes, et celui qui écrivait dans les marges perdait son abonnement."),
    ("fre", "La maison fut vendue le 18 septembre 1854 et le cabinet ferma ses portes. Les livres partirent pour Le Havre, où un libraire nommé Auguste Lemaire les acheta au poids. Une partie fut perdue, une autre passa en Angleterre. En 1902 on retrouva à Londres le registre des prêts, avec la signature de tous ceux qui, pendant vingt-cinq ans, avaient lu à Rouen pour deux sous."),
    ("eng", "NOTE BY THE BINDER\n\nThese leaves were bound together by Margaret Ashworth at Norwich in the winter of 1911. They came to her in a box of soap, without title or order, and she has kept them in the order of their dates. Nothing was cut. Where the margin was torn it has been filled with thin paper, which any later hand may take off again with water."),
    ("eng", "Whoever reads this after us is asked for three things. Turn the leaves from the upper corner. Do not lay an open book upon its face. And if you find the second volume of the History of England, which left London on 20 March 1832 and did not arrive at Harwich, be so kind as to send it to the Reading Society, Church Street, where a place on the shelf is kept for it."),
)  # fmt: skip


def page(text: str) -> Image.Image:
    """A page of A5 at 300 dpi, grey, with the text set in lines that do not end beyond the margin."""
    image = Image.new("L", (WIDTH, HEIGHT), 250)
    pen = Pen(ImageDraw.Draw(image), SIZE)
    y = MARGIN
    for line in lines(text, pen):
        pen.line(MARGIN, y, line)
        y += LEADING
    return image


def lines(text: str, pen: Pen) -> list[str]:
    out: list[str] = []
    for paragraph in text.split("\n"):
        current = ""
        for word in paragraph.split():
            longer = f"{current} {word}".strip()
            if pen.width(longer) > WIDTH - 2 * MARGIN and current:
                out.append(current)
                longer = word
            current = longer
        out.append(current)
    return out


def encoded(image: Image.Image, suffix: str) -> bytes:
    """The picture as a file: `.tif` (Deflate), `.png` or `.jpg`, with its resolution."""
    buffer = io.BytesIO()
    if suffix == ".tif":
        image.save(buffer, "TIFF", compression="tiff_adobe_deflate", dpi=(DPI, DPI))
    elif suffix == ".png":
        image.save(buffer, "PNG", dpi=(DPI, DPI), compress_level=6)
    else:
        image.save(buffer, "JPEG", quality=90, dpi=(DPI, DPI))
    return buffer.getvalue()


def batch() -> dict[str, bytes]:
    """Batch `demo-0001`: path in the drop to file. Page 15 is blank, 16 is page 3 again, 17 is cut off."""
    suffixes = (".tif", ".tif", ".png", ".jpg")
    out: dict[str, bytes] = {}
    for number, (_, text) in enumerate(TEXTS, 1):
        suffix = suffixes[number % len(suffixes)]
        out[f"pages/{number:04d}{suffix}"] = encoded(page(text), suffix)
    out["pages/0015.tif"] = encoded(Image.new("L", (WIDTH, HEIGHT), 250), ".tif")
    third = next(name for name in out if name.startswith("pages/0003"))
    out["pages/0016" + third[-4:]] = out[third]
    whole = encoded(page(TEXTS[0][1]), ".jpg")
    out["pages/0017.jpg"] = whole[: len(whole) * 3 // 5]
    return out


def small_batch() -> dict[str, bytes]:
    """Batch `demo-0002`, for the hot folder: three pages."""
    return {f"pages/{n:04d}.png": encoded(page(TEXTS[n + 3][1]), ".png") for n in (1, 2, 3)}


def manifest(batch_id: str, files: dict[str, bytes]) -> dict[str, object]:
    """What a scanner's software writes beside its files; the hashes are those of the files as they are."""
    return {
        "id": batch_id,
        "scanner_id": "demo-scanner-1",
        "scanner_model": "Holdfast Demo Flatbed 1",
        "resolution_dpi": DPI,
        "color_profile": "Gray Gamma 2.2",
        "settings": {"color_mode": "Grayscale8", "bit_depth": 8, "paper": "A5"},
        "file_paths": [
            {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in sorted(files.items())
        ],
    }
