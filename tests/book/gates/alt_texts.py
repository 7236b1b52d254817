"""Every picture carries words: on the image itself, and as its plain text.

An image output without a page around it is a fault, whatever its metadata say: notebook programs
show it without words.
"""

from gates.chapter import Chapter, shown, words_of_images


def faults(chapter: Chapter) -> list[str]:
    return [
        f"code cell {number} shows a picture without words"
        for number, cell in enumerate(chapter.code, start=1)
        for data in shown(cell)
        if not _is_described(data)
    ]


def _is_described(data: dict) -> bool:
    words = words_of_images(data.get("text/html", ""))
    plain = data.get("text/plain", "")
    is_bare = any(kind.startswith("image/") for kind in data)
    return not is_bare and all(word and word in plain for word in words)
