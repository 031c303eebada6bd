"""The face of autoencoders for scikit-learn."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ancestral.recipes.transformers import AutoencoderTransformer

FEW = {"hidden": (8,), "steps": 3, "random_state": 0}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderTransformer(1, **FEW)])
def test_check_estimator(estimator: BaseEstimator, check: object) -> None:
    check(estimator)  # pyright: ignore[reportCallIssue]


def test_without_hidden_layers_it_loses_what_principal_axes_lose() -> None:
    x = np.random.default_rng(0).normal(size=(200, 4)) @ np.diag([3, 2, 0.2, 0.1]) + 5
    x = x @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    found = AutoencoderTransformer(2, hidden=(), steps=2000, random_state=0).fit(x)
    axes = make_pipeline(StandardScaler(), PCA(2)).fit(x)
    scaled = axes[0].transform(x)
    lost = ((axes[1].inverse_transform(axes[1].transform(scaled)) - scaled) ** 2).sum(1).mean()
    assert lost <= -found.score(x) < 1.1 * lost
    back = found.inverse_transform(found.transform(x))
    np.testing.assert_allclose(
        -(((back - x) / x.std(0)) ** 2).sum(1), found.score_samples(x), rtol=1e-3, atol=1e-5
    )
    assert found.get_feature_names_out().tolist() == [
        "autoencodertransformer0",
        "autoencodertransformer1",
    ]


def test_what_is_out_of_range_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    for settings, line in (({"steps": 0}, "steps"), ({"n_components": 0}, "n_components")):
        with pytest.raises(ValueError, match=line):
            AutoencoderTransformer(**{**FEW, **settings}).fit(x)
    fitted = AutoencoderTransformer(**FEW).fit(x)
    with pytest.raises(ValueError, match="Z must have 1 columns, got 2"):
        fitted.inverse_transform(np.zeros((4, 2)))
