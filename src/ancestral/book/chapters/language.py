"""Chapter 3: tokens, recurrent networks, GPT, decoding."""

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ancestral.autoregressive import GPT, GPTShape, RecurrentLM
from ancestral.autoregressive.decoding import Decoding, rules
from ancestral.book.entry import Entry, How, Value
from ancestral.book.reasons import CORPUS, DIAGRAM, T4
from ancestral.capabilities import Batch
from ancestral.data.text import SPECIAL_NAMES, Tokenizer
from ancestral.information import entropy
from ancestral.training import Budget, Game, Options, Rows, train
from ancestral.training.weights import count_parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SEQUENCES, BATCH, VOCABULARY = 719, 32, 60_198
TEMPERATURES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
SENTENCE = "a b c d e"
_TALE = "había una vez un río, y junto al río una casa, y en la casa una mesa."
_PROTEIN = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQ"


@cache
def tokenizer() -> Tokenizer:
    """Return the tokenizer of the book's example, its base tokens in the book's order."""
    own = Tokenizer.train(["a b c d"], kind="word")
    from tokenizers import AddedToken, models
    from tokenizers import Tokenizer as Library

    library = Library.from_str(own.to_json())
    names = ["a", "b", "c", "d", " ", *SPECIAL_NAMES]
    library.model = models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<UNK>")
    library.add_special_tokens([AddedToken(name, special=True) for name in SPECIAL_NAMES])
    return Tokenizer(library)


def millions(model: type[GPT] | type[RecurrentLM]) -> float:
    """Return the parameters of a model of the book's sizes, in millions."""
    with torch.device("meta"):
        return count_parameters(model(VOCABULARY)) / 1e6


def biases() -> int:
    """Return how many biases the cell of the recurrent network has: torch's has two vectors."""
    with torch.device("meta"):
        named = RecurrentLM(100).named_parameters()
        return sum(value.numel() for name, value in named if "bias_ih" in name or "bias_hh" in name)


def first_loss(how: How) -> float:
    """Return the cross-entropy of an untrained recurrent network, in nats a token."""
    torch.manual_seed(0)
    model = RecurrentLM(VOCABULARY)
    x = torch.randint(VOCABULARY - 4, (4, 17), generator=how.noise)
    with torch.no_grad():
        loss = model.players()[0].loss(Batch(x), None)
    return loss.total.item() / loss.weight


def learned(how: How) -> int:  # noqa: ARG001 - every number is found alike
    """Return how many of three sequences a small GPT learns to half the nats of chance."""
    series = torch.bucketize(torch.arange(64.0).mul(0.4).sin(), torch.linspace(-1, 1, 12))
    words = Tokenizer.train([_TALE], kind="word").encode(_TALE)
    protein = Tokenizer.train([_PROTEIN], kind="character").encode(_PROTEIN)
    found = 0
    for tokens in (torch.tensor(words), series, torch.tensor(protein)):
        torch.manual_seed(0)
        states = int(tokens.max()) + 5
        shape = GPTShape(window=len(tokens), width=32, layers=1, heads=2)
        model = GPT(states, shape=shape, dropout=0.0)
        game = Game(model.players(), Options(learning_rate=1e-2, schedule="constant"), seed=0)
        x = torch.cat((torch.tensor([model.special.bos]), tokens))[None]
        for _ in train(game, Rows(x), budget=Budget(steps=60)):
            pass
        with torch.no_grad():
            surprise = -model.eval().log_prob(x).item() / len(tokens)
        found += surprise < math.log(states) / 2
    return found


def kept(how: How) -> float:  # noqa: ARG001 - every number is found alike
    """Return the sum of the two largest of (0.5, 0.3, 0.2), renormalised."""
    logits = torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64).log()
    return rules.top_k(logits, 2).softmax(dim=-1).sum().item()


def temperatures() -> list[Tensor]:
    """Return the law of ten tokens at each temperature of figure 42."""
    logits = torch.linspace(-1.5, 3.0, 10, dtype=torch.float64)[None]
    return [rules.temperature(logits, value).softmax(dim=-1)[0] for value in TEMPERATURES]


def draw_temperatures(how: How) -> "Figure":
    """Draw figure 42."""
    from ancestral.book.drawing import BLUE, sheet

    figure, panels = sheet(10, 4.4, across=3, down=2, sharey=True)
    labels = [f"$a_{{{k}}}$" for k in range(1, 11)]
    for axes, value, law in zip(panels, TEMPERATURES, temperatures(), strict=True):
        axes.bar(labels, law.tolist(), color=BLUE)
        bits = how.say("entropy", "entropía") + f" {float(entropy(law)):.2f} nats"
        axes.set(title=f"T = {value:g}: {bits}", ylim=(0, 1.02))
    return figure


def maps(how: How) -> Tensor:
    """Return the attention matrices of the third block of an untrained GPT, [6, T, T]."""
    torch.manual_seed(0)
    model = GPT(60, shape=GPTShape(window=16, width=96, layers=3, heads=6))
    nn.init.normal_(model.tokens.weight)
    return model.attention_maps(torch.randint(56, (1, 14), generator=how.noise))[2][0]


def beyond(how: How) -> tuple[float, ...]:
    """Return the greatest weight of a later token, and how far sums of rows are from 1."""
    found = maps(how).double()
    return found.triu(1).max().item(), (found.sum(dim=-1) - 1).abs().max().item()


def draw_maps(how: How) -> "Figure":
    """Draw figure 51."""
    from ancestral.book.drawing import picture, sheet

    figure, panels = sheet(7.5, 5.2, across=3, down=2)
    for number, (axes, found) in enumerate(zip(panels, maps(how), strict=True), 1):
        picture(axes, found, how.say(f"head {number}", f"cabeza {number}"), cmap="viridis")
    return figure


def _defaults() -> Value:
    own = Decoding()
    return own.temperature, float(own.top_k or math.inf), own.repetition_penalty


def _sizes() -> Value:
    own = GPTShape()
    return own.window, own.width, own.layers, own.heads, own.features_of_a_head, own.expansion


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "OV-04",
        "Sequences that one model learns: of words, of a quantised series, of amino acids",
        "Secuencias que aprende un mismo modelo: de palabras, de una serie, de aminoácidos",
        book=3,
        find=learned,
    ),
    Entry(
        "LM-01",
        "Ids of <BOS>, <EOS>, <UNK> and <PAD> after five tokens",
        "Índices de <BOS>, <EOS>, <UNK> y <PAD> tras cinco tokens",
        book=(5, 6, 7, 8),
        find=lambda _: tuple(tokenizer().special),
    ),
    Entry(
        "LM-03.a",
        f"Ids of “{SENTENCE}”",
        f"Índices de «{SENTENCE}»",
        book=(0, 4, 1, 4, 2, 4, 3, 4, 7),
        find=lambda _: tuple(tokenizer().encode(SENTENCE)),
    ),
    Entry(
        "LM-03.b",
        "The text of those ids",
        "El texto de esos índices",
        book="a b c d <UNK>",
        find=lambda _: tokenizer().decode(tokenizer().encode(SENTENCE), skip_special=False),
    ),
    Entry(
        "LM-05.a",
        "Batches of 32 in 719 sequences",
        "Lotes de 32 en 719 secuencias",
        book=22,
        find=lambda _: len(DataLoader(range(SEQUENCES), BATCH, drop_last=True)),  # pyright: ignore
    ),
    Entry(
        "LM-05.b",
        "Sequences and tokens of the corpus, 719 and 60,198",
        "Secuencias y tokens del corpus, 719 y 60,198",
        reason=CORPUS,
    ),
    Entry(
        "LM-09",
        "Biases of Elman's cell, D = 384",
        "Sesgos de la celda de Elman, D = 384",
        book=384,
        errs="E-N10",
        correct=768,
        find=lambda _: biases(),
    ),
    Entry(
        "LM-10",
        "Millions of parameters of the recurrent network (46,587,942)",
        "Millones de parámetros de la red recurrente (46,587,942)",
        book=46.6,
        within=0.05,
        find=lambda _: millions(RecurrentLM),
    ),
    Entry(
        "LM-15.a",
        "Cross-entropy before training, about ln |V|",
        "Entropía cruzada antes de entrenar, cerca de ln |V|",
        book=11,
        within=0.5,
        find=first_loss,
    ),
    Entry(
        "LM-15.b",
        "Updates in 32 epochs",
        "Actualizaciones en 32 épocas",
        book=704,
        find=lambda _: 32 * len(DataLoader(range(SEQUENCES), BATCH, drop_last=True)),  # pyright: ignore
    ),
    Entry("LM-15.c", "5 minutes of training", "5 minutos de entrenamiento", reason=T4),
    Entry(
        "LM-18",
        "Sum of the two largest of (0.5, 0.3, 0.2) after top-K",
        "Suma de los dos mayores de (0.5, 0.3, 0.2) después de top-K",
        book=0.425,
        errs="E-M15",
        correct=1,
        find=kept,
    ),
    Entry(
        "LM-21",
        "Defaults of decoding: temperature, top-K, penalty",
        "Valores de la generación: temperatura, top-K, penalización",
        book=(0.8, 50, 1.01),
        find=lambda _: _defaults(),
    ),
    Entry(
        "TR-02",
        "Sizes of the GPT: window, width, blocks, heads, of a head, expansion",
        "Tamaños del GPT: ventana, ancho, bloques, cabezas, de una cabeza, expansión",
        book=(256, 384, 6, 6, 64, 4),
        find=lambda _: _sizes(),
    ),
    Entry(
        "TR-12",
        "Millions of parameters of the GPT (56,957,184)",
        "Millones de parámetros del GPT (56,957,184)",
        book=57.0,
        within=0.05,
        find=lambda _: millions(GPT),
    ),
    Entry("TR-13", "7 minutes of training", "7 minutos de entrenamiento", reason=T4),
    Entry(
        "EX-02",
        "The tokenizer's example, there and back",
        "El ejemplo del tokenizador, de ida y vuelta",
        book="a b c d <UNK>",
        find=lambda _: tokenizer().decode(tokenizer().encode(SENTENCE), skip_special=False),
    ),
    Entry("EX-03", "First 40 tokens of a story", "Primeros 40 tokens de un cuento", reason=CORPUS),
    Entry(
        "EX-07",
        "Temperatures: panels, bars in each",
        "Temperaturas: paneles, barras en cada uno",
        book=(6, 10),
        find=lambda _: (len(temperatures()), len(temperatures()[0])),
    ),
    Entry("FG-41", "Losses of the RNN", "Pérdidas de la RNN", reason=CORPUS),
    Entry(
        "FG-42",
        "Ten tokens at six temperatures; each panel sums to",
        "Diez tokens a seis temperaturas; cada panel suma",
        book=(1,) * 6,
        find=lambda _: tuple(law.sum().item() for law in temperatures()),
        draw=draw_temperatures,
    ),
    *(
        Entry(f"FG-{number}", english, spanish, reason=DIAGRAM)
        for number, english, spanish in (
            (43, "Layer norm", "Normalización de capa"),
            (44, "Self-attention", "Autoatención"),
            (45, "Masked self-attention", "Autoatención con máscara"),
            (46, "Multi-head attention", "Atención de varias cabezas"),
            (47, "Feed-forward layer", "Capa por token"),
            (48, "A block of the Transformer", "Un bloque del Transformer"),
            (49, "The whole GPT", "El GPT completo"),
        )
    ),
    Entry("FG-50", "Losses of RNN and GPT", "Pérdidas de la RNN y del GPT", reason=CORPUS),
    Entry(
        "FG-51",
        "Attention of six heads before training; weight of later tokens, rows' distance from 1",
        "Atención de seis cabezas sin entrenar; peso de lo posterior, filas lejos de 1",
        book=(0, 0),
        within=1e-6,
        find=beyond,
        draw=draw_maps,
    ),
)
