"""Whatever a tokenizer.json carries, the same text gives the same tokens, or the folder is refused."""

import json
import shutil

import pytest
from little_folders import TEXT, write
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from kdlib.data.blocks import make_blocks
from kdlib.data.document import Document
from kdlib.errors import UserError
from kdlib.models.folders import load_tokenizer
from kdlib.models.lossless import refuse_lossy, refuse_lost_text

pytestmark = pytest.mark.door("tokenizers")

DOCUMENTS = [Document(str(n), TEXT[n:] + "naïve…\n") for n in range(3)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "model")


def change(folder, **parts):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def change_model(folder, **parts):
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text())
    whole["model"] |= parts
    path.write_text(json.dumps(whole))


def add_token(folder, **parts):
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text())
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    whole["added_tokens"].append({"id": 280, "special": False} | plain | parts)
    path.write_text(json.dumps(whole))


def tokens(folder):
    tokenizer = load_tokenizer(folder)
    blocks = make_blocks(DOCUMENTS, tokenizer.backend_tokenizer, 64, 0)
    return blocks.ids[blocks.mask.bool()].tolist(), blocks.predicted_tokens


TRUNCATION = {"direction": "Right", "max_length": 32, "strategy": "LongestFirst", "stride": 0}
PADDING = {
    "strategy": "BatchLongest", "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
    "pad_type_id": 0, "pad_token": "<|endoftext|>",
}  # fmt: skip
LEFT_BEHIND = {
    "truncation": lambda f: change(f, truncation=TRUNCATION),
    "truncation of the left": lambda f: change(f, truncation=TRUNCATION | {"direction": "Left"}),
    "padding": lambda f: change(f, padding=PADDING),
    "padding to a length": lambda f: change(f, padding=PADDING | {"strategy": {"Fixed": 3000}}),
    "both": lambda f: change(f, padding=PADDING, truncation=TRUNCATION),
    "dropout": lambda f: change_model(f, dropout=0.5),
}


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_an_earlier_use_left_is_not_obeyed(folder, name):
    expected = tokens(folder)
    LEFT_BEHIND[name](folder)
    assert tokens(folder) == expected


LOSSES = {
    "lower case": (lambda f: change(f, normalizer={"type": "Lowercase"}), "capital letters"),
    "accents": (
        lambda f: change(f, normalizer={"type": "Sequence", "normalizers": [
            {"type": "NFD"}, {"type": "StripAccents"}]}), "accents",
    ),
    "nfkc": (lambda f: change(f, normalizer={"type": "NFKC"}), "signs that look like others"),
    "strip": (
        lambda f: change(f, normalizer={"type": "Strip", "strip_left": True, "strip_right": True}),
        "line breaks",
    ),
    "spaces": (
        lambda f: change(f, normalizer={
            "type": "Replace", "pattern": {"Regex": " +"}, "content": " "}), "several spaces",
    ),
    "quotation marks": (
        lambda f: change(f, normalizer={
            "type": "Replace", "pattern": {"String": "``"}, "content": '"'}), "quotation marks",
    ),
    "a text put in front": (
        lambda f: change(f, normalizer={"type": "Prepend", "prepend": "Q: "}), "letters",
    ),
    "an eager token": (
        lambda f: add_token(f, content="sat", lstrip=True), "blanks around 'sat'",
    ),
    "another eager token": (
        lambda f: add_token(f, content="hat", rstrip=True), "blanks around 'hat'",
    ),
    "an eager token beside one of blanks": (
        lambda f: (add_token(f, content="sat", lstrip=True), add_token(f, id=281, content="  ")),
        "blanks around 'sat'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_tokenizer_that_changes_the_text_is_refused(folder, name):
    spoil, what = LOSSES[name]
    spoil(folder)
    with pytest.raises(UserError, match=rf"tokenizer: .* loses {what}") as refused:
        load_tokenizer(folder)
    assert "\n" not in str(refused.value)


HARMLESS = {
    "nfc": lambda f: change(f, normalizer={"type": "NFC"}),
    "an added word": lambda f: add_token(f, content="sat"),
    "a token of a chat": lambda f: add_token(f, content="<|end|>", special=True, rstrip=True),
    "a beginning": lambda f: change(f, post_processor={
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            "<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}},
    }),
    "a blank in front": lambda f: change(f, pre_tokenizer={
        "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_loses_nothing_is_accepted(folder, name):
    HARMLESS[name](folder)
    backend = load_tokenizer(folder).backend_tokenizer
    assert backend.decode(backend.encode("the cat", add_special_tokens=False).ids).strip()


class Loaded:
    """As much of transformers' tokenizers as is asked."""

    def __init__(self, backend, unknown=None):
        self.backend_tokenizer, self.unk_token = backend, unknown
        self.name_or_path = "made here"
        self.unk_token_id = backend.token_to_id(unknown) if unknown else None


def sentencepiece(byte_fallback):
    """As Llama 2: blanks become ▁, and what is in no token is spelt in bytes."""
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte_fallback, fuse_unk=True))
    trained.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    bytes_of_all = [f"<0x{n:02X}>" for n in range(256)] if byte_fallback else []
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", *bytes_of_all], show_progress=False
    )
    trained.train_from_iterator([TEXT], trainer)
    trained.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    # Added as special tokens, the bytes would be found in texts and skipped when decoding.
    whole = json.loads(trained.to_str())
    whole["added_tokens"] = whole["added_tokens"][:1]
    return Loaded(Tokenizer.from_str(json.dumps(whole)), "<unk>")


def bert():
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=False)
    trained.pre_tokenizer, trained.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(special_tokens=["[UNK]"], show_progress=False)
    trained.train_from_iterator([TEXT], trainer)
    return Loaded(trained, "[UNK]")


def bytes_that_training_saw():
    """Byte-level, but without the bytes that its training text happened not to hold."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer, trained.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    trained.train_from_iterator([TEXT], trainers.BpeTrainer(show_progress=False))
    return Loaded(trained)


def test_sentencepiece_with_bytes_is_accepted(tmp_path):
    refuse_lossy(sentencepiece(byte_fallback=True), tmp_path)


@pytest.mark.parametrize(
    ("make", "how"),
    [
        (lambda: sentencepiece(byte_fallback=False), "unknown tokens"),
        (bert, "loses letters and punctuation"),
        (bytes_that_training_saw, "spells"),
    ],
)
def test_a_tokenizer_that_drops_characters_is_refused(tmp_path, make, how):
    with pytest.raises(UserError, match=how):
        refuse_lossy(make(), tmp_path)


def without_a_byte(folder, sign):
    """The vocabulary of a training text that never held this byte, as byte-level BPE writes it."""
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text())
    whole["model"]["vocab"].pop(sign)
    path.write_text(json.dumps(whole))


@pytest.mark.parametrize(("sign", "text"), [("Z", "The Zoo"), ("\u010c", "one\x0ctwo")])
def test_a_text_with_a_character_that_the_tokenizer_lacks_is_refused(folder, sign, text):
    without_a_byte(folder, sign)
    tokenizer = load_tokenizer(folder)
    refuse_lost_text(tokenizer, DOCUMENTS)  # which does not hold it
    with pytest.raises(UserError, match="text: .* loses the character '(Z|.x0c)' and 1 more, so"):
        refuse_lost_text(tokenizer, [*DOCUMENTS, Document("b", text)])


def test_a_text_with_a_special_token_that_swallows_its_blanks_is_refused(folder):
    add_token(folder, content="<|end|>", special=True, rstrip=True)
    tokenizer = load_tokenizer(folder)
    refuse_lost_text(tokenizer, DOCUMENTS)
    with pytest.raises(UserError, match="loses blanks around '<.end.>'"):
        refuse_lost_text(tokenizer, [Document("b", "Hello <|end|> and bye")])


def test_a_text_with_words_that_the_tokenizer_changes_is_refused(folder):
    change(folder, normalizer={"type": "Replace", "pattern": {"String": "hat"}, "content": "cap"})
    with pytest.raises(UserError, match="loses words of 0 and 2 more"):
        refuse_lost_text(load_tokenizer(folder), DOCUMENTS)


def test_the_text_of_a_special_token_is_text():
    """As WikiText has it; a blank that the tokenizer puts after it is none of the text's."""
    refuse_lost_text(sentencepiece(byte_fallback=True), [Document("w", "the <unk> sat on <unk>")])


def test_a_text_of_all_sorts_of_characters_is_accepted(folder):
    odd = "ﬁ 豈 e\u0301 \u0301 \u200b\ufeff\u2028 🦄 ▁▂ \x0c\x1b\x7f \U0010ffff"
    refuse_lost_text(load_tokenizer(folder), [Document("odd", odd)])
    refuse_lost_text(sentencepiece(byte_fallback=True), [Document("odd", odd)])
