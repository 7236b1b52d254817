"""Which tokens of a conversation count, against expectations that a person has written down."""

import chats
import numpy as np
import pytest

from kdlib.errors import UserError
from kdlib.records.faults import Unusable
from kdlib.records.record import ASSISTANT, SYSTEM, USER, Turn, new_record
from kdlib.records.rows import encode
from kdlib.records.template import PLAIN, ChatTemplate

MARKED_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>"
    "{% endgeneration %}{% else %}{{ message['content'] }}<|im_end|>{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEMPLATES = {
    "chatml": (chats.CHATML, chats.chatml),
    "chatml with marks": (MARKED_CHATML, chats.chatml),
    "headers, marks without the stop token": (chats.HEADERS, chats.headers),
    "turns": (chats.TURNS, chats.turns),
}


@pytest.fixture(scope="module")
def tokenizer():
    return chats.tokenizer()


@pytest.fixture
def template_of(tokenizer, tmp_path):
    def made(source):
        path = tmp_path / "template.jinja"
        path.write_text(source)
        return ChatTemplate(tokenizer, str(path))

    return made


def by_hand(pieces, tokenizer):
    """Ids and counted positions, each piece encoded by itself: they meet at special tokens."""
    ids, counted = [], []
    for text, counts in pieces:
        found = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        ids += found
        counted += [counts] * len(found)
    return ids, counted


@pytest.mark.parametrize("name", TEMPLATES)
def test_two_hundred_conversations_count_as_by_hand(name, tokenizer, template_of, inputs_tried):
    source, pieces = TEMPLATES[name]
    template = template_of(source)
    records = chats.conversations(200, seed=len(name), system=name != "turns")
    for record in records:
        encoded = encode(record, template)
        ids, counted = by_hand(pieces(record), tokenizer)
        assert encoded.ids.tolist() == ids
        assert (encoded.answer > 0).tolist() == counted
        assert encoded.answer.max() == len(record.answers)
    inputs_tried(len(records))


test_two_hundred_conversations_count_as_by_hand = pytest.mark.door("conversations")(
    test_two_hundred_conversations_count_as_by_hand
)


def test_each_answer_has_its_number_and_ends_with_its_stop_token(tokenizer, template_of):
    template = template_of(chats.CHATML)
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    for record in chats.conversations(20):
        encoded = encode(record, template)
        for number in range(1, len(record.answers) + 1):
            places = np.flatnonzero(encoded.answer == number)
            assert (np.diff(places) == 1).all()
            assert encoded.ids[places[-1]] == stop


def test_the_plain_template_serves_a_model_without_one(tokenizer):
    assert ChatTemplate(tokenizer).source == PLAIN
    record = new_record("one", [Turn(USER, "Who?"), Turn(ASSISTANT, "The Congress.")])
    encoded = encode(record, ChatTemplate(tokenizer))
    end = tokenizer.eos_token
    ids, counted = by_hand(
        [(f"{end}User: Who?\nAssistant:", False), (f" The Congress.{end}", True), ("\n", False)],
        tokenizer,
    )
    assert (encoded.ids.tolist(), (encoded.answer > 0).tolist()) == (ids, counted)
    assert encoded.bytes == len("The Congress.")


@pytest.mark.parametrize("source", [chats.CHATML, MARKED_CHATML, chats.HEADERS, chats.TURNS, PLAIN])
def test_what_is_asked_is_what_an_answer_follows(source, template_of):
    template = template_of(source)
    record = new_record("one", [Turn(USER, "Who?"), Turn(ASSISTANT, "They.")])
    rendering = template.render(record.turns)
    asked = template.prompt(record.turns[:1])
    assert rendering.text[: rendering.answers[0][0]].rstrip() == asked.rstrip()
    assert rendering.text.startswith(asked)


UNSOUND = {
    "an answer that nothing closes": (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}",
        "no special token",
    ),
    "an earlier answer that is shortened": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{{ m['content'] if loop.last or m['role'] != 'assistant' else m['content'][:3] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "once another follows",
    ),
    "a prompt unlike the conversation": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}",
        "otherwise than it asks",
    ),
    "an answer in capital letters": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | upper }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "otherwise than it asks",
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_a_template_of_which_nobody_can_tell_is_refused(name, template_of):
    source, why = UNSOUND[name]
    turns = [Turn(USER, "who"), Turn(ASSISTANT, "they did")] * 2
    with pytest.raises(UserError, match=why):
        template_of(source).render(turns)


def test_a_file_that_is_not_there_is_refused(tokenizer):
    with pytest.raises(UserError, match=r"data.template: /no/such cannot be read"):
        ChatTemplate(tokenizer, "/no/such")


def test_what_a_template_refuses_is_left_out_with_its_words(template_of):
    turns = [Turn(SYSTEM, "be short"), Turn(USER, "who"), Turn(ASSISTANT, "they")]
    with pytest.raises(Unusable, match="refused by the chat template: System role not supported"):
        template_of(chats.TURNS).render(turns)


@pytest.mark.parametrize("quoted", ["<|im_end|>", "\ue000"])
def test_a_text_that_spells_a_special_token_is_left_out(quoted, template_of):
    turns = [Turn(USER, f"what is {quoted}?"), Turn(ASSISTANT, "a token")]
    with pytest.raises(Unusable, match="special tokens in its text"):
        template_of(chats.CHATML).render(turns)
