"""What the papers report, to stand beside what is measured here."""

__all__ = ["CONTAMINATED", "DAGMM_TABLE_2", "DMDN_TABLE_1", "UNTRAINED_KDDCUP"]

DAGMM_TABLE_2: dict[str, dict[str, tuple[float, float, float]]] = {
    "kddcup": {
        "DAGMM": (0.9297, 0.9442, 0.9369),
        "DSEBM-e": (0.8619, 0.6446, 0.7399),
        "DSEBM-r": (0.8521, 0.6472, 0.7328),
        "OC-SVM": (0.7457, 0.8523, 0.7954),
    },
    "thyroid": {
        "DAGMM": (0.4766, 0.4834, 0.4782),
        "DSEBM-e": (0.1319, 0.1319, 0.1319),
        "DSEBM-r": (0.0404, 0.0403, 0.0403),
        "OC-SVM": (0.3639, 0.4239, 0.3887),
    },
    "arrhythmia": {
        "DAGMM": (0.4909, 0.5078, 0.4983),
        "DSEBM-e": (0.4667, 0.4565, 0.4601),
        "DSEBM-r": (0.1515, 0.1513, 0.1510),
        "OC-SVM": (0.5397, 0.4082, 0.4581),
    },
}
"""Precision, recall and F1 at the anomaly ratio by data set and method.

Source: B. Zong et al., "Deep autoencoding Gaussian mixture model for unsupervised anomaly detection", ICLR 2018,
Table 2.
"""

CONTAMINATED: dict[float, dict[str, float]] = {
    0.01: {"DAGMM": 0.9268, "DCN": 0.7598, "OC-SVM": 0.6953},
    0.02: {"DAGMM": 0.9262, "DCN": 0.7402, "OC-SVM": 0.5847},
    0.03: {"DAGMM": 0.9201, "DCN": 0.7228, "OC-SVM": 0.5261},
    0.04: {"DAGMM": 0.8912, "DCN": 0.7037, "OC-SVM": 0.4589},
    0.05: {"DAGMM": 0.8573, "DCN": 0.6827, "OC-SVM": 0.1720},
}
"""F1 on KDDCUP by the share of anomalies in training; same source."""

UNTRAINED_KDDCUP = (0.90, 0.94)
"""F1 that users report of a DAGMM with random weights (github.com/danieltan07/dagmm, issues 19 and 29)."""

DMDN_TABLE_1: dict[str, tuple[float, float, float]] = {
    "DMDN": (96.8, 95.4, 94.9),
    "Transformer encoder": (94.2, 92.1, 91.5),
    "Temporal CNN": (92.6, 90.3, 88.7),
    "GRU with attention": (93.4, 91.7, 89.9),
    "ResNet1D": (91.1, 88.5, 87.3),
}
"""ACC, AUC and F1 in per cent, as claimed for UNSW-NB15; the paper (arXiv 2505.08220, Table 1) states no protocol."""
