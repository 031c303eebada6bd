"""What every figure means, in the words that stand under the table, and which way is better."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Better: TypeAlias = Literal["higher", "lower", "floor", "none"]
"""``floor``: the nearer to the real-against-real value, the better; ``none``: not to be ranked."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A figure's title, which way is better, and what it is."""

    title: str
    better: Better
    text: str
    for_nothing: bool = False
    """Its floor is not what real data reach but what is had without looking at x."""


DEFINITIONS: dict[str, Definition] = {
    "log_prob": Definition(
        "log-likelihood",
        "higher",
        "Mean log p(x) of held-out examples under the model, the log-determinant of every data "
        "transform included. A bound where the data were dequantised: the discrete likelihood is "
        "then at least this.",
    ),
    "elbo": Definition(
        "evidence lower bound",
        "higher",
        "Mean lower bound on log p(x) of held-out examples (ELBO). The true value is at least "
        "this, so a model with a bound may be better than its figure.",
    ),
    "log_prob_iw": Definition(
        "importance-weighted log-likelihood",
        "higher",
        "Mean of the log of K importance weights for each held-out example: nearer to log p(x) "
        "than the ELBO, in expectation still below it.",
    ),
    "bits_per_dim": Definition(
        "bits per dimension",
        "lower",
        "The log-likelihood, or else its bound, as code length: minus log2 p(x), divided by the "
        "number of pixels and channels. From a lower bound on the likelihood it is "
        "an upper bound on the code length.",
    ),
    "active_units": Definition(
        "latents in use",
        "none",
        "Share of the latents whose posterior mean varies over held-out examples by more than a "
        "hundredth of their variance. Below a tenth the posterior has collapsed onto the prior.",
    ),
    "reconstruction": Definition(
        "reconstruction error",
        "none",
        "Mean squared distance of held-out examples to what the model makes of their codes, summed "
        "over their values. A wide code gives everything back, so it ranks nothing.",
    ),
    "label_log_prob": Definition(
        "log-likelihood of labels",
        "higher",
        "Mean log p(label | x) of held-out examples: of the labels, not of x, so never to be held "
        "against a log-likelihood of x. Minus it is the cross-entropy.",
    ),
    "accuracy": Definition(
        "accuracy",
        "higher",
        "Share of held-out examples whose likeliest label is their own. Its floor is the share of "
        "the label that is commonest in training: what always saying that one gives.",
        for_nothing=True,
    ),
    "calibration_error": Definition(
        "calibration error",
        "lower",
        "Mean distance between the probability of the likeliest label and the share of times that "
        "it is right, over bins of equally many examples. Its floor is that of labels drawn with "
        "the probabilities that the model says; p is of the hypothesis that it is calibrated.",
    ),
    "iou": Definition(
        "intersection over union",
        "higher",
        "Of masks: pixels of a class in both the mask found and the true one, over those in one of "
        "them; mean over the classes of an image, then over images.",
    ),
    "dice": Definition(
        "Dice coefficient",
        "higher",
        "Twice the pixels of a class in both masks, over the sum of those in each; means as of the "
        "intersection over union.",
    ),
    "pixel_accuracy": Definition(
        "pixels that are right",
        "higher",
        "Share of the pixels of an image whose class is found, mean over images. Its floor is the "
        "share of the class that is commonest in training.",
        for_nothing=True,
    ),
    "difference": Definition(
        "difference to the truth",
        "lower",
        "Mean absolute difference of what is made of an image to what belongs to it, in grey "
        "levels from 0 to 1. Its floor is the least that a copy of the image, or one grey level "
        "for all, has.",
        for_nothing=True,
    ),
    "there_and_back": Definition(
        "difference there and back",
        "lower",
        "Mean absolute difference of an image to what is made of what is made of it, in grey "
        "levels from 0 to 1.",
    ),
    "sliced_wasserstein": Definition(
        "sliced Wasserstein",
        "lower",
        "Wasserstein-2 distance between samples and held-out data along many fixed lines: the "
        "root of the mean squared distance, in standardised units. 0 only for equal laws; finite "
        "samples lift it to the floor.",
    ),
    "mmd": Definition(
        "squared MMD",
        "lower",
        "Unbiased squared maximum mean discrepancy between samples and held-out data, with a "
        "mixture of four Gaussian kernels around the median distance; it may be negative. The p "
        "beside it is of a permutation test of equal laws.",
    ),
    "classifier_accuracy": Definition(
        "classifier accuracy",
        "floor",
        "Held-out accuracy of gradient-boosted trees at telling samples from real data. 50% "
        "cannot tell them apart, 100% always can.",
    ),
    "precision": Definition(
        "precision",
        "higher",
        "Share of samples that lie inside the k-nearest-neighbour ball of a real example.",
    ),
    "recall": Definition(
        "recall",
        "higher",
        "Share of real examples that lie inside the k-nearest-neighbour ball of a sample.",
    ),
    "density": Definition(
        "density",
        "floor",
        "Real balls around a sample, divided by k, on average. Near 1 for the true law; above it "
        "the samples crowd where the data are dense.",
    ),
    "coverage": Definition(
        "coverage",
        "higher",
        "Share of real examples with at least one sample inside their own k-nearest-neighbour "
        "ball, radii among the real. A dropped mode shows here.",
    ),
    "off_manifold": Definition(
        "off the manifold",
        "lower",
        "Share of samples further than 0.05 (standardised units) from each of 200,000 fresh "
        "points of the true distribution.",
    ),
    "memorisation": Definition(
        "memorisation",
        "none",  # A test that is passed or failed: half is good, less is no better.
        "Probability that a sample leans to its nearest training example more than a held-out "
        "example does. 50%: as fresh data would; 100%: copies of the training set. The p beside "
        "it is of the hypothesis that nothing is copied.",
    ),
    "frechet": Definition(
        "Fréchet distance",
        "lower",
        "Squared Wasserstein-2 distance between Gaussian fits of samples and of held-out data, "
        "in the space of the data (this is not the FID of Inception features).",
    ),
    "feature_frechet": Definition(
        "Fréchet distance of features",
        "lower",
        "Squared Wasserstein-2 distance between Gaussian fits of samples and of held-out images, "
        "in 128 features of a classifier taught the labels of the training images (this is "
        "not the FID of Inception features). It sees shapes where pixels see grey levels.",
    ),
    "label_agreement": Definition(
        "agreement with the label",
        "higher",
        "Share of samples that a classifier taught on the training images takes for the label "
        "that they were drawn for. Its floor is its accuracy on held-out images. Above the floor "
        "the samples are more typical of their label than real images are.",
    ),
    "label_coverage": Definition(
        "coverage within a label",
        "higher",
        "Coverage of the held-out images of one label by the samples drawn for it: of the label "
        "where it is the least share of its floor, which is of training images of that label.",
    ),
    "column_tv": Definition(
        "total variation of columns",
        "lower",
        "Half the sum of |p - q| over the cells of a column, samples against held-out rows: mean "
        "over columns. 0, equal; 1, no cell in common; finite samples lift it to the floor.",
    ),
    "pair_tv": Definition(
        "total variation of pairs",
        "lower",
        "The same over the cells of two columns together: mean over pairs. It sees how columns "
        "depend on each other, two by two.",
    ),
    "detection_auc": Definition(
        "detection",
        "floor",
        "Area under the ROC curve of gradient-boosted trees that tell samples from held-out rows, "
        "each scored by trees that were not trained on it. 0.5: they cannot; 1: always.",
    ),
    "utility": Definition(
        "utility",
        "higher",
        "How well trees trained on samples tell one column from the others on held-out rows: area "
        "under the ROC curve of two states, share that is right of more, R² of numbers. Its floor "
        "is that of trees trained on as many real rows. The error is that of the held-out rows.",
    ),
    "copied_rows": Definition(
        "copied rows",
        "none",
        "Share of samples that are equal, cell by cell, to a row of the training table. Floor: the "
        "share of held-out rows that are, for short rows are equal by chance.",
    ),
    "nearer_training": Definition(
        "nearer to training rows",
        "none",
        "Share of samples whose nearest training row is nearer than the nearest of as many rows of "
        "the validation split; ties count half. 50%: as fresh rows would; 100%: copies. The p "
        "beside it is of the hypothesis that samples do not lean to the training rows.",
    ),
    "membership_auc": Definition(
        "membership by likelihood",
        "none",
        "Area under the ROC curve of log p as a test of whether a row was trained on. 0.5: it "
        "tells nothing, which is expected of a model that learned only what holds for new rows. "
        "The p beside it is of that hypothesis.",
    ),
    "perplexity": Definition(
        "perplexity", "lower", "Exponential of the mean negative log-likelihood of a token."
    ),
    "bits_per_char": Definition(
        "bits per character", "lower", "Code length of held-out text for each character."
    ),
    "bits_per_byte": Definition(
        "bits per byte", "lower", "Code length of held-out text for each byte of its UTF-8 form."
    ),
    "distinct_2": Definition(
        "distinct pairs", "floor", "Share of different word pairs among all pairs generated."
    ),
    "memorised_fraction": Definition(
        "memorised text", "floor", "Share of generated text that stands verbatim in the training."
    ),
}

OF_CLASSES = ("iou", "dice")
"""Figures that each class of pixels has by itself: ``iou_NAME``."""

KINDS: dict[str, str] = {
    "exact": "computed exactly by the model; its only error is that of the finite test set",
    "bound": "the true value is at least as good as this",
    "estimate": "computed from random draws or from samples",
    "loss": "a training objective, not a likelihood; never ranked",
}


def definition_of(name: str) -> Definition:
    """Return the definition of a figure; one that is not listed speaks for itself."""
    base = DEFINITIONS.get(name.removesuffix("_means"))
    if base is not None and name.endswith("_means"):
        text = f"Of means of p(x | z) instead of draws. {base.text}"
        return Definition(f"{base.title} of means", base.better, text, base.for_nothing)
    base, _, one = name.partition("_")
    if base in OF_CLASSES and one:
        text = "Of one class, mean over the images in which one of the masks has it."
        return Definition(f"{DEFINITIONS[base].title}: {one}", "higher", text)
    return DEFINITIONS.get(name, Definition(name.replace("_", " "), "none", ""))
